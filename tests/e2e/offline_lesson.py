"""One lesson with kit and Chromium on this host's address: ``python -m tests.e2e.offline_lesson ADDRESS INTERFACE``.

Run inside a network namespace by tests.e2e.test_offline. Prints one JSON object: what pages asked of other hosts.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.browser import (
    Visits,
    chromium,
    clock_advances,
    new_context,
    pupil_page,
    start_lesson,
    stop_lesson,
    teacher_page,
    wait_live,
    wait_page,
)
from tests.kit import Kit


def main(address: str, interface: str) -> None:
    # Chromium itself asks for names of its own; what a page asks for is seen by Visits before any name is looked up.
    quiet = f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {address}"
    settings = {"http_host": address, "ice_interfaces": interface, "discovery": "true"}
    with (
        tempfile.TemporaryDirectory(prefix="preau-test-") as folder,
        Kit(Path(folder), **settings) as kit,
        chromium(quiet) as browser,
    ):
        context = new_context(browser)
        visits = Visits(context, kit)
        teacher = teacher_page(context, kit)
        start_lesson(teacher)
        lesson = kit.api("GET", "lessons")["lessons"][0]
        pupil = pupil_page(context, kit, lesson["code"], "Zoé")
        wait_live(pupil)
        watched = clock_advances(pupil)
        stop_lesson(teacher)
        replay = context.new_page()
        replay.goto(f"{kit.url}/lessons/{lesson['id']}")
        replay.evaluate("document.getElementById('video').play()")
        wait_page(replay, "document.getElementById('video').currentTime > 0.3")
        replay.goto(f"{kit.url}/status")
        context.close()
    sys.stdout.write(json.dumps({"watched": watched, "foreign": visits.foreign}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
