"""One Chromium for each module that asks; a fresh context per test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser import chromium, new_context


@pytest.fixture(scope="module")  # not for the session: playwright holds an event loop, which `asyncio.run` would meet
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = new_context(browser)
    yield opened
    opened.close()
