"""A kit whose recordings are real: folders that a session wrote from real packets, read by the real client.

Only the commands, which go over the bus in a kit, are answered here, from the journals.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from playwright.sync_api import Page
from werkzeug.serving import make_server

from appliance.bus import CommandRefused
from appliance.messages import FindLessons, Lesson, LessonList, TrimLesson, TrimmedLesson
from appliance.settings import Settings
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.journal import Trimmed
from lessons.recording import Recording
from lessons.summary import describe
from lessons.trim import decided, told
from tests.browser import wait_page
from tests.lessons.room import read
from tests.ui.doubles import found

Listed = list[Lesson]


class RecordedLessons(LessonsClient):
    """What is on disk, and nothing to start or stop it with: tests feed their sessions by hand."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Settings(data_dir=folder))
        self.root = folder / "lessons"

    def get(self, id: str) -> Lesson:
        return describe(self.recording(id), thumbnail=(self.root / id / "thumbnail.jpg").exists())

    def list(self) -> Listed:
        return [self.get(folder.name) for folder in sorted(self.root.iterdir(), reverse=True)]

    def trim(self, id: str, start_s: float | None = None, end_s: float | None = None) -> TrimmedLesson:
        def make(recording: Recording) -> list[Trimmed]:
            return [Trimmed(*decided(TrimLesson(id, start_s, end_s), recording), 0.0)]

        changed = Edits(self.root).write(id, make)
        return told(changed, *changed.trim)

    def find(self, wanted: FindLessons) -> LessonList:
        return found(self.list(), wanted)

    def recording(self, id: str) -> Recording:
        """The lesson as its journal tells it now."""
        if not (self.root / id).is_dir():
            raise CommandRefused("not_found", f"there is no lesson {id}")
        return read(self.root / id)


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The application on a free port of 127.0.0.1; its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def open_replay(page: Page, id: str, fragment: str = "") -> None:
    """The replay of a lesson, once its picture can be played. It is muted: no gesture has allowed sound."""
    page.goto(f"/lessons/{id}{fragment}")
    page.wait_for_selector("body[data-state=ready]")
    page.evaluate("document.getElementById('video').muted = true")
    wait_page(page, "document.getElementById('video').readyState >= 2")
