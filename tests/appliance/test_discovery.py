"""The kit is found by name and by service on the chosen interface, renames itself, and withdraws. Loopback only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

from appliance.discovery import SERVICE, Advertiser
from appliance.settings import Settings
from tests.kit import wait_until

ROOM = "Salle d'essai Préau"


class Seen(ServiceListener):
    """What a browser of the network knows now: properties by name."""

    def __init__(self) -> None:
        self.services: dict[str, ServiceInfo] = {}

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        info = zc.get_service_info(type_, name)
        if info and ROOM in name:
            self.services[name] = info

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.add_service(zc, type_, name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.services.pop(name, None)

    def lesson(self, name: str) -> str | None:
        value = self.services[name].properties.get(b"lesson") if name in self.services else None
        return value.decode() if value else None


@pytest.fixture
def link() -> Iterator[Zeroconf]:
    with Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only) as opened:
        yield opened


@pytest.fixture
def seen(link: Zeroconf) -> Seen:
    listener = Seen()
    ServiceBrowser(link, SERVICE, listener)
    return listener


def advertiser(live: threading.Event) -> Advertiser:
    settings = Settings(room=ROOM, kit_name="preau-essai", http_host="127.0.0.1", http_port=8090, ice_interfaces=["lo"])
    return Advertiser(settings, live.is_set)


class Running:
    """An advertiser on a thread of its own."""

    def __init__(self, live: threading.Event) -> None:
        self.advertiser = advertiser(live)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.advertiser.run, args=(self._stopping,))

    def __enter__(self) -> Advertiser:
        self._thread.start()
        return self.advertiser

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()


def test_room_port_and_lesson_are_announced_and_withdrawn(seen: Seen) -> None:
    live = threading.Event()
    name = f"{ROOM}.{SERVICE}"
    with Running(live) as running:
        wait_until(lambda: seen.lesson(name) == "none", 10, "the kit to be announced")
        info = seen.services[name]
        assert info.port == 8090
        assert info.server == "preau-essai.local."
        assert info.parsed_addresses() == ["127.0.0.1"]
        assert info.properties[b"room"] == ROOM.encode()
        live.set()
        running.lesson_changed()
        wait_until(lambda: seen.lesson(name) == "live", 10, "the lesson to be announced")
    wait_until(lambda: name not in seen.services, 10, "the kit to be withdrawn")


def test_a_taken_name_is_left_to_its_owner(link: Zeroconf, seen: Seen) -> None:
    """Another machine answers to both of the kit's names, from another address."""
    other = ServiceInfo(
        SERVICE,
        f"{ROOM}.{SERVICE}",
        addresses=[socket.inet_aton("127.0.0.9")],
        port=80,
        server="preau-essai.local.",
    )
    link.register_service(other)
    with Running(threading.Event()) as running:
        wait_until(lambda: running.name and running.name in seen.services, 15, "the kit to be announced")
        assert running.host == "preau-essai-2.local."
        assert running.name == f"{ROOM}-2.{SERVICE}"
