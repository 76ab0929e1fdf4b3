"""The two shares of a run, together, are all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import shares


@pytest.mark.parametrize(
    ("test", "share"),
    [
        ("tests/e2e/test_lesson.py::test_a_whole_lesson", "kits"),
        ("tests/faults/test_kill.py", "kits"),
        ("tests/faults/test_flood.py::test_floods_leave_no_memory", "rest"),
        ("tests/streaming/test_rungs.py::test_x[tests/e2e/]", "rest"),
        ("tests/test_shares.py", "rest"),
    ],
)
def test_each_test_is_in_one(test: str, share: str) -> None:
    assert shares.share_of(test) == share


def test_what_is_named_exists() -> None:
    root = Path(__file__).parents[1]
    assert all((root / name).exists() for name in (*shares._KITS, *shares._WAITING))
