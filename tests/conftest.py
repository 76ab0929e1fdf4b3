"""One Chromium for each module that asks; a fresh context per test; figures that a run states at its end."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, BrowserContext

from tests.browser import chromium, new_context
from tests.shares import SHARES, share_of

# No test fails because the machine was busy.
settings.register_profile("preau", deadline=None)
settings.load_profile("preau")

STATED = pytest.StashKey[list[str]]()
ENDING_S = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", choices=SHARES, help="only this share of the tests (tests/shares.py)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if share := config.getoption("--share"):
        others = [item for item in items if share_of(item.nodeid) != share]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if share_of(item.nodeid) == share]


@pytest.fixture(scope="module")  # not for the session: playwright holds an event loop, which `asyncio.run` would meet
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = new_context(browser)
    yield opened
    opened.close()


@pytest.fixture
def state(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a measured figure, in words, to be printed at the end of the run."""
    return request.config.stash.setdefault(STATED, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if stated := config.stash.get(STATED, []):
        terminalreporter.section("figures")
        for line in stated:
            terminalreporter.line(line)


def pytest_unconfigure() -> None:
    """A thread that a failed test left waiting must not hold up the end of the run: it ends, and says where all are."""
    faulthandler.dump_traceback_later(ENDING_S, exit=True, file=2)
