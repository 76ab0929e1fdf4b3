"""A page names every module that its script is made of, and no other."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Request

from tests.browser import wait_page
from tests.ui.conftest import Kit
from tests.ui.test_browser import address, browser, context, kit, sign_in
from ui.modules import STATIC, modules

__all__ = ["address", "browser", "context", "kit"]  # fixtures of the pages' own test


@pytest.mark.parametrize("name", sorted(path.stem for path in (STATIC / "js").glob("*.js")))
def test_what_a_script_imports_is_there(name: str) -> None:
    found = modules(name)
    assert len(set(found)) == len(found)
    assert all((STATIC / path).is_file() for path in found)


def test_nested_imports_are_found_once_the_nearest_first() -> None:
    found = modules("join")
    assert found.index("js/player.js") < found.index("js/whep.js")
    assert any(path.startswith("vendor/socket.io-client/") for path in found)
    assert modules("status") == ()


@pytest.mark.parametrize(("path", "name"), [("/", "join"), ("/teacher", "teacher"), ("/lessons", "lessons")])
def test_a_browser_asks_for_nothing_that_the_page_did_not_name(
    kit: Kit, context: BrowserContext, path: str, name: str
) -> None:
    sign_in(context, "teacher")
    page = context.new_page()
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.resource_type == "script":
            asked.append(re.sub("^/static/[0-9a-f]+/", "", urlsplit(request.url).path))

    page.on("request", note)
    page.goto(path)
    wait_page(page, "document.readyState === 'complete'")
    assert sorted(set(asked) - {f"js/{name}.js", "js/keep.js"}) == sorted(modules(name))
