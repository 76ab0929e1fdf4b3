"""Each test is in one of the shares that run beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import shares

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("test", "share"),
    [
        ("tests/e2e/test_lesson.py::test_a_whole_lesson", "kits"),
        ("tests/faults/test_kill.py", "kits"),
        ("tests/streaming/test_rungs.py::test_x[tests/e2e/]", "pages"),
        ("tests/ui/test_api.py", "pages"),
        ("tests/test_shares.py", "pages"),
    ],
)
def test_each_test_is_in_one(test: str, share: str) -> None:
    assert shares.share_of(test) == share
    assert shares.share_of(test, alone=True) == "alone"


def test_what_is_named_exists_and_every_share_has_some() -> None:
    assert all((ROOT / prefix).exists() for prefix in shares._SHARES)
    files = [str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")]
    assert set(map(shares.share_of, files)) == set(shares.SHARES)
