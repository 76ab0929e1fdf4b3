"""The running kit is found on the network, says that a lesson is live, and withdraws when it stops. Loopback only."""

from pathlib import Path

from zeroconf import IPVersion, ServiceBrowser, Zeroconf

from appliance.discovery import SERVICE
from tests.appliance.test_discovery import ROOM, Seen
from tests.kit import Kit, wait_until


def test_a_kit_is_found_and_withdraws(tmp_path: Path) -> None:
    name = f"{ROOM}.{SERVICE}"
    seen = Seen()
    with Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only) as link:
        ServiceBrowser(link, SERVICE, seen)
        with Kit(tmp_path, discovery="true", room=ROOM) as kit:
            wait_until(lambda: seen.lesson(name) == "none", 10, "the kit to be announced")
            assert seen.services[name].port == kit.port
            kit.api("POST", "lessons", {})
            wait_until(lambda: seen.lesson(name) == "live", 10, "the lesson to be announced")
        wait_until(lambda: name not in seen.services, 10, "the kit to be withdrawn")
