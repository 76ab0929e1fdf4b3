from __future__ import annotations

from streaming.ladder import Step
from streaming.memory import LASTS_NS, MOST, Memory


def test_a_weak_line_is_remembered_for_a_while() -> None:
    memory = Memory()
    memory.remember("ada", Step.STILL, 5)
    assert memory.recall("ada", 5 + LASTS_NS) is Step.STILL
    assert memory.recall("ada", 6 + LASTS_NS) is Step.HIGH
    assert memory.recall("zoé", 5) is Step.HIGH


def test_a_line_that_carried_all_is_nothing_to_remember() -> None:
    memory = Memory()
    memory.remember("ada", Step.LOW, 5)
    memory.remember("ada", Step.HIGH, 6)
    assert memory.recall("ada", 7) is Step.HIGH


def test_the_oldest_are_forgotten() -> None:
    memory = Memory()
    for number in range(MOST + 1):
        memory.remember(f"{number}", Step.LOW, number)
    assert memory.recall("0", MOST) is Step.HIGH
    assert memory.recall("1", MOST) is Step.LOW
