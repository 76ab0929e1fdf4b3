"""A lesson watched across a network that lets no packet through between kit and tablet.

``python -m tests.e2e.divided_lesson MIDDLE TABLET WAY``, run inside the kit's network namespace by
tests.e2e.test_divided. The host MIDDLE carries TCP to the kit's pages, slowly for the way ``thin``; for the ways
``udp``, ``tcp`` and ``tls`` it also runs coturn. Prints one JSON object.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, Page

from capture.demo import TONE_HZ
from tests.browser import (
    SHARED_HZ,
    SHARING,
    chromium,
    clap_offset_ms,
    clock_advances,
    launch,
    new_context,
    picture_age_ms,
    pupil_page,
    sharing_page,
    tone_db,
    wait_live,
    wait_page,
)
from tests.kit import Kit, wait_until
from tests.network import ThreeHosts

SECRET = "north pole"
# When the pupil pressed, and when the first picture was there.
PRESS = """
addEventListener("click", ({ target }) => {
  if (target.id === "join-button") window.pressedAt = performance.now();
}, true);
addEventListener("DOMContentLoaded", () => {
  document.getElementById("video")?.requestVideoFrameCallback((now) => (window.shownAt = now));
});
"""
PICTURES = "document.getElementById('video').getVideoPlaybackQuality().totalVideoFrames"
FIRST_PICTURE_S = "(shownAt - pressedAt) / 1000"
TURN_PORT, TLS_PORT = 3478, 5349
THIN_BYTES_PER_S = 50_000  # the demo's sharp picture and sound take some 75,000, the saving one 39,000
RELAYED = ("udp", "tcp", "tls")


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def hang_up(process: subprocess.Popen[str]) -> None:
    """Idempotent."""
    if process.poll() is None:
        with ended(process):
            pass


def carrier(middle: list[str], port: int, bytes_per_s: int = 0) -> subprocess.Popen[str]:
    """The way for TCP; returns when it listens."""
    where = [ThreeHosts.middle_tablet_side, str(port), ThreeHosts.kit_address, str(port), str(bytes_per_s)]
    command = [*middle, sys.executable, "-m", "tests.tcp_relay", *where]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def sign_itself(certificate: Path, key: Path) -> None:
    """A certificate of the middle host's own making, for a day."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "coturn")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address(ThreeHosts.middle_tablet_side))
    signed = (
        x509.CertificateBuilder(
            name, name, private.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def coturn(middle: list[str], folder: Path) -> subprocess.Popen[str]:
    """A TURN server of its own configuration; returns when it listens."""
    log = folder / "turn.log"
    sign_itself(folder / "turn.crt", folder / "turn.key")
    lines = [
        f"listening-ip={ThreeHosts.middle_tablet_side}",
        f"relay-ip={ThreeHosts.middle_kit_side}",
        f"listening-port={TURN_PORT}",
        "use-auth-secret",
        f"static-auth-secret={SECRET}",
        "realm=preau",
        "fingerprint",
        "no-cli",
        f"tls-listening-port={TLS_PORT}",
        f"cert={folder / 'turn.crt'}",
        f"pkey={folder / 'turn.key'}",
        "no-dtls",
        "verbose",
        f"userdb={folder / 'turn.db'}",
        f"pidfile={folder / 'turn.pid'}",
        f"log-file={log}",
        "simple-log",
    ]
    (folder / "turn.conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        [*middle, "turnserver", "-c", str(folder / "turn.conf")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    sockets = [*middle, "ss", "-lntu"]
    for port in (TURN_PORT, TLS_PORT):
        listening = f"{ThreeHosts.middle_tablet_side}:{port} "
        wait_until(
            lambda: listening in subprocess.run(sockets, capture_output=True, text=True).stdout,  # noqa: B023
            10,
            f"coturn on {port}",
        )
    return process


def seen(page: Page, kit: Kit) -> dict[str, Any]:
    """What the pupil's page shows, how soon it came, and how the kit counts it."""
    return {
        "way": page.get_attribute("#video", "data-way"),
        "advances": clock_advances(page),
        "tone_db": tone_db(page, TONE_HZ),
        "age_ms": sorted(picture_age_ms(page) for _ in range(15))[7],
        "first_s": round(page.evaluate(FIRST_PICTURE_S), 2),
        "streamed": kit.metric("preau_ui_streamed_viewers"),
        "webrtc": kit.metric("preau_streaming_viewers"),
        "count": page.inner_text("#count"),
    }


def sound_only(page: Page) -> dict[str, Any]:
    """What is left when the pupil wants no picture, and whether it comes back."""
    page.select_option("#quality", "sound")
    wait_page(page, "document.body.dataset.showing === 'none'")
    found = {
        "sound_way": page.get_attribute("#video", "data-way"),
        "sound_tone_db": tone_db(page, TONE_HZ),
        "sound_pictures": page.evaluate(PICTURES),
        "sound_state": page.get_attribute("body", "data-state"),
        "sound_said": page.is_visible("#state") and page.inner_text("#state"),
    }
    page.select_option("#quality", "automatic")
    wait_page(page, "document.body.dataset.showing === 'video' && document.getElementById('video').videoWidth === 1280")
    wait_live(page)
    return found


def shared(browser: Browser, page: Page, kit: Kit) -> dict[str, Any]:
    """The same of a tab that a browser beside the kit shares."""
    secure = f"--unsafely-treat-insecure-origin-as-secure={kit.url}"
    near = launch(browser.browser_type, *SHARING, secure, mute=False)
    teacher = sharing_page(new_context(near), kit)
    teacher.click("#share")
    wait_page(page, "document.body.hasAttribute('data-shared')", 20)
    page.evaluate("preauProbe.look('shared')")
    wait_until(lambda: clock_advances(page), 10, "the shared tab to move")
    found = {
        "shared_way": page.get_attribute("#shared", "data-way"),
        "shared_tone_db": tone_db(page, SHARED_HZ),
        "shared_clap_ms": clap_offset_ms(page),
        "shared_age_ms": sorted(picture_age_ms(page) for _ in range(15))[7],
        "counted": kit.metric("preau_ui_streamed_viewers"),
    }
    teacher.click("#share")
    wait_page(page, "!document.body.hasAttribute('data-shared')")
    page.evaluate("preauProbe.look('video')")
    teacher.goto("about:blank")  # hangs up the preview
    wait_until(lambda: not kit.metric("preau_streaming_viewers"), 10, "the teacher to be gone")
    near.close()
    return found


def main(middle: str, tablet: str, way: str) -> None:
    through = ["ip", "netns", "exec", middle]
    settings = {"http_host": ThreeHosts.kit_address, "ice_interfaces": ThreeHosts.interface}
    if way in RELAYED:
        server = ThreeHosts.middle_tablet_side
        url = f"turns:{server}:{TLS_PORT}" if way == "tls" else f"turn:{server}:{TURN_PORT}?transport={way}"
        settings |= {"ice_servers": url, "turn_secret": SECRET}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="preau-test-")))
        if way in RELAYED:
            stack.enter_context(ended(coturn(through, folder)))
        kit = stack.enter_context(Kit(folder / "data", **settings))
        carried = carrier(through, kit.port)
        stack.callback(lambda: hang_up(carried))
        trusting = "--ignore-certificate-errors"  # coturn's own
        browser = stack.enter_context(chromium(trusting, prefix=["ip", "netns", "exec", tablet]))
        lesson = kit.api("POST", "lessons", {"title": "Ailleurs"})
        context = new_context(browser)
        context.add_init_script(PRESS)
        address = f"http://{ThreeHosts.middle_tablet_side}:{kit.port}"
        page = pupil_page(context, kit, lesson["code"], "Zoé", address)
        wait_live(page)
        found = {} if way == "thin" else seen(page, kit)
        if way == "none":
            found["clap_ms"] = clap_offset_ms(page)
            found |= sound_only(page)
            second = pupil_page(context, kit, lesson["code"], "Zoé", address)
            wait_live(second)
            found["remembered_s"] = round(second.evaluate(FIRST_PICTURE_S), 2)
            second.close()
            found |= shared(browser, page, kit)
        if way in ("none", "thin"):
            hang_up(carried)
            page.wait_for_selector("body[data-state=reconnecting]")
            wait_page(page, "preauProbe.pictureAge().then(() => false, () => true)")  # what had come has been played
            carried = carrier(through, kit.port, THIN_BYTES_PER_S if way == "thin" else 0)
            returned = time.monotonic()
        if way == "none":
            wait_page(page, "preauProbe.pictureAge().then((age) => age < 1500, () => false)")
            found["returned_s"] = round(time.monotonic() - returned, 2)
            wait_live(page)
        if way == "thin":  # the sharp picture comes first, and is more than the line carries: it need not be near live
            wait_page(page, "document.getElementById('video').videoWidth === 640", 60)
            found["saving_s"] = round(time.monotonic() - returned, 1)
            wait_until(lambda: clock_advances(page), 20, "the saving picture to move")
            found["still_state"] = page.get_attribute("body", "data-state")
        kit.api("POST", f"lessons/{lesson['id']}/stop")
        page.wait_for_selector("body[data-state=ended]")
        left = ("preau_ui_streamed_viewers", "preau_streaming_viewers")
        wait_until(lambda: not any(map(kit.metric, left)), 10, "the viewer to be gone")
        browser.close()
        log = folder / "turn.log"
        found["allocations"] = log.read_text().count("ALLOCATE processed, success") if log.exists() else 0
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
