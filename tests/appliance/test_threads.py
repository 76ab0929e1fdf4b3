"""Threads are counted by name, also those that Python does not know of."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance import threads


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ThreadPoolExecutor-0_12", "ThreadPoolExecutor"),
        ("asyncio_3", "asyncio"),
        ("Thread-7 (_service_task)", "Thread (_service_task)"),
        ("broadcast camera", "broadcast camera"),
        ("streaming-2", "streaming"),
    ],
)
def test_numbers_are_left_out(name: str, kind: str) -> None:
    assert threads.kind_of(name) == kind


def test_all_threads_are_counted() -> None:
    before, barrier = threads.by_kind(), threading.Barrier(4)
    with ThreadPoolExecutor(3, "pool") as pool:
        for _ in range(3):
            pool.submit(barrier.wait)
        during = threads.by_kind()
        assert during["pool"] - before["pool"] == 3
        assert during.total() == len(list(Path("/proc/self/task").iterdir()))
        barrier.wait(5)
    assert threads.by_kind()["pool"] == before["pool"]
