"""A lesson watched across a network that lets no packet through between kit and tablet.

``python -m tests.e2e.divided_lesson MIDDLE TABLET WAY``, run inside the kit's network namespace by
tests.e2e.test_divided. The host MIDDLE carries TCP to the kit's pages; for the ways ``udp`` and ``tcp`` it also runs
coturn. Prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.browser import (
    chromium,
    clap_offset_ms,
    clock_advances,
    new_context,
    picture_age_ms,
    pupil_page,
    tone_db,
    wait_live,
)  # fmt: skip
from tests.kit import Kit, wait_until
from tests.network import ThreeHosts

SECRET = "north pole"
TURN_PORT = 3478
TONE_HZ = 1000


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


def carrier(middle: list[str], port: int) -> subprocess.Popen[str]:
    """The way for TCP; returns when it listens."""
    where = [ThreeHosts.middle_tablet_side, str(port), ThreeHosts.kit_address, str(port)]
    command = [*middle, sys.executable, "-m", "tests.tcp_relay", *where]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def coturn(middle: list[str], folder: Path) -> subprocess.Popen[str]:
    """A TURN server of its own configuration; returns when it listens."""
    log = folder / "turn.log"
    lines = [
        f"listening-ip={ThreeHosts.middle_tablet_side}",
        f"relay-ip={ThreeHosts.middle_kit_side}",
        f"listening-port={TURN_PORT}",
        "use-auth-secret",
        f"static-auth-secret={SECRET}",
        "realm=preau",
        "fingerprint",
        "no-cli",
        "no-tls",
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
    listening = f"{ThreeHosts.middle_tablet_side}:{TURN_PORT}"
    wait_until(lambda: listening in subprocess.run(sockets, capture_output=True, text=True).stdout, 10, "coturn")
    return process


def main(middle: str, tablet: str, way: str) -> None:
    through = ["ip", "netns", "exec", middle]
    settings = {"http_host": ThreeHosts.kit_address, "ice_interfaces": ThreeHosts.interface}
    if way != "none":
        url = f"turn:{ThreeHosts.middle_tablet_side}:{TURN_PORT}?transport={way}"
        settings |= {"ice_servers": url, "turn_secret": SECRET}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="preau-test-")))
        if way != "none":
            stack.enter_context(ended(coturn(through, folder)))
        kit = stack.enter_context(Kit(folder / "data", **settings))
        stack.enter_context(ended(carrier(through, kit.port)))
        browser = stack.enter_context(chromium(prefix=["ip", "netns", "exec", tablet]))
        lesson = kit.api("POST", "lessons", {"title": "Ailleurs"})
        began = time.monotonic()
        page = pupil_page(
            new_context(browser), kit, lesson["code"], "Zoé", f"http://{ThreeHosts.middle_tablet_side}:{kit.port}"
        )
        wait_live(page)
        took = time.monotonic() - began
        found = {
            "way": page.get_attribute("#video", "data-way"),
            "advances": clock_advances(page),
            "tone_db": tone_db(page, TONE_HZ),
            "clap_ms": clap_offset_ms(page),
            "age_ms": sorted(picture_age_ms(page) for _ in range(15))[7],
            "joined_s": round(took, 2),
            "streamed": kit.metric("preau_ui_streamed_viewers"),
            "webrtc": kit.metric("preau_streaming_viewers"),
            "count": page.inner_text("#count"),
        }
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
