"""Commands that wait do not hold up others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance import bus
from appliance.command_pool import CommandPool
from appliance.messages import Command, Done, GetLesson, LessonList, ListLessons, Reply, StopLesson

COMMANDS = 20


class Service:
    """StopLesson waits for `open`; GetLesson is refused."""

    def __init__(self, folder: Path) -> None:
        self.open, self.entered, self.stopping = threading.Event(), threading.Semaphore(0), threading.Event()
        pool = CommandPool(folder, "lessons", self._handle, workers=2)
        self.thread = threading.Thread(target=pool.serve, args=(self.stopping,))
        self.thread.start()

    def _handle(self, command: Command) -> Reply:
        match command:
            case StopLesson():
                self.entered.release()
                assert self.open.wait(20)
                return Done()
            case GetLesson(id):
                raise bus.CommandRefused("not_found", id)
        return LessonList([])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.open.set()
    service.stopping.set()
    service.thread.join()


def test_one_that_waits_holds_up_nobody_and_is_answered(tmp_path: Path, service: Service) -> None:
    with ThreadPoolExecutor(4) as callers:
        waiting = callers.submit(bus.call, tmp_path, "lessons", StopLesson("a"), timeout_s=20)
        assert service.entered.acquire(timeout=5)
        answers = list(callers.map(lambda _: bus.call(tmp_path, "lessons", ListLessons()), range(COMMANDS)))
        assert answers == [LessonList([])] * COMMANDS
        with pytest.raises(bus.CommandRefused, match="b"):
            bus.call(tmp_path, "lessons", GetLesson("b"))
        assert not waiting.done()
        service.open.set()
        assert waiting.result() == Done()


def test_what_is_begun_is_answered_before_the_end(tmp_path: Path, service: Service) -> None:
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(bus.call, tmp_path, "lessons", StopLesson("a"), timeout_s=20)
        assert service.entered.acquire(timeout=5)
        service.stopping.set()
        service.open.set()
        assert waiting.result() == Done()
