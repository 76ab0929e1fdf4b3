"""Pages as HTML: who sees which, headers, languages, and that no sentence is bare."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.ui.conftest import PIN, Kit
from ui import catalogue, vendor
from ui.addresses import base_url
from ui.i18n import pick
from ui.views import clock_text, size_text

UI = Path(catalogue.__file__).parent


@pytest.mark.parametrize(
    ("path", "role", "holds"),
    [
        ("/", None, 'id="join-form"'),
        ("/join/123456", None, 'value="123456"'),
        ("/?next=/lessons", None, 'data-after="/lessons"'),
        ("/?next=//evil.example", None, 'data-after=""'),
        ("/teacher", None, 'id="pin-form"'),
        ("/teacher", "pupil", 'id="pin-form"'),
        ("/teacher", "teacher", "<svg"),
        ("/lessons", "pupil", "Fractions"),
        ("/lessons", "teacher", 'data-do="delete"'),
        ("/lessons/LESSON", "pupil", 'id="video"'),
        ("/status", None, "preau_capture_x"),
    ],
)
def test_pages(kit: Kit, path: str, role: str | None, holds: str) -> None:
    lesson = kit.lessons.add("Fractions", "ended")
    headers = {None: {}, "pupil": kit.pupil(), "teacher": kit.teacher()}[role] if role else {}
    response = kit.client().get(path.replace("LESSON", lesson.id), headers=headers)
    assert response.status_code == 200 and holds in response.text
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "connect-src 'self' ws://localhost" in policy
    assert ("unsafe-inline" in policy) == (path == "/lessons/LESSON")
    assert not re.search(
        r"\sstyle=|\son[a-z]+=|https?://(?!127|localhost|\d)", response.text.replace("http://www.w3.org", "")
    )


def test_deleting_is_not_offered_to_pupils(kit: Kit) -> None:
    kit.lessons.add("Fractions", "ended")
    assert "data-do" not in kit.client().get("/lessons", headers=kit.pupil()).text


def test_names_are_escaped(kit: Kit) -> None:
    kit.lessons.add("<script>alert(1)</script>", "ended")
    assert "<script>alert" not in kit.client().get("/lessons", headers=kit.pupil()).text
    assert '"><b>' not in kit.client().get('/join/"><b>').text


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/lessons/nothing", 404)])
def test_errors_are_pages(kit: Kit, path: str, status: int) -> None:
    response = kit.client().get(path, headers=kit.pupil())
    assert response.status_code == status and response.mimetype == "text/html"


def test_a_silent_service_is_a_page(kit: Kit) -> None:
    kit.lessons.silent = True
    response = kit.client().get("/lessons", headers={**kit.pupil(), "Accept-Language": "fr"})
    assert response.status_code == 503 and "redémarre" in response.text and "Retry-After" in response.headers


@pytest.mark.parametrize(
    ("asked", "cookie", "accepted", "language"),
    [
        ("en", "fr", "fr", "en"),
        (None, "en", "fr", "en"),
        (None, None, "en", "en"),
        (None, None, None, "fr"),
        ("xx", None, None, "fr"),
    ],
)
def test_language(asked: str | None, cookie: str | None, accepted: str | None, language: str) -> None:
    assert pick(asked, cookie, accepted, "fr") == language


def test_a_chosen_language_is_kept(kit: Kit) -> None:
    client = kit.client()
    assert "Rejoindre" in client.get("/").text
    assert "Rejoindre" not in client.get("/?lang=en").text
    assert "Rejoindre" not in client.get("/").text


def test_static_files_never_change_under_their_address(kit: Kit) -> None:
    client = kit.client()
    found = re.search(r'src="(/static/[0-9a-f]{12}/js/join.js)"', client.get("/").text)
    assert found
    with client.get(found.group(1)) as response:
        assert "immutable" in response.headers["Cache-Control"] and response.mimetype == "text/javascript"


def test_translations_are_whole() -> None:
    assert catalogue.problems() == []


@pytest.mark.parametrize("folder", vendor.FOLDERS)
def test_vendored_files_are_as_listed(folder: str) -> None:
    assert vendor.problems(vendor.ROOT / folder) == []


class TextNodes(HTMLParser):
    """Collects what a reader would see of a template that is not an expression."""

    SEEN = ("title", "alt", "aria-label", "placeholder")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        if re.search(r"[^\W\d_]", data):
            self.found.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in self.SEEN and value and re.search(r"[^\W\d_]", value)]


@pytest.mark.parametrize("template", sorted((UI / "templates").glob("*.html")), ids=lambda path: path.name)
def test_no_sentence_is_bare(template: Path) -> None:
    reader = TextNodes()
    text = re.sub(r"{% block (look|facts) %}.*?{% endblock %}", "", template.read_text(encoding="utf-8"))
    reader.feed(re.sub(r"{%.*?%}|{{.*?}}", "", text, flags=re.DOTALL))
    assert reader.found == []


@pytest.mark.parametrize("script", sorted((UI / "static/js").glob("*.js")), ids=lambda path: path.name)
def test_no_script_names_another_host_or_writes_html(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert not re.search(r"https?://|innerHTML|\beval\(|alert\(|window\.confirm|console\.", text)


def test_scripts_use_only_sentences_that_the_page_has(kit: Kit) -> None:
    pages = {
        "join": "/",
        "pin": "/teacher",
        "teacher": "/teacher",
        "disk": "/teacher",
        "lessons": "/lessons",
        "keep": "/lessons",
        "lesson": "/lessons/LESSON",
    }
    lesson = kit.lessons.add("Fractions", "ended")
    for script, path in pages.items():
        headers = {} if script == "pin" else kit.teacher()
        page = kit.client().get(path.replace("LESSON", lesson.id), headers=headers).text
        used = re.findall(r'text\("(\w+)"', (UI / f"static/js/{script}.js").read_text(encoding="utf-8"))
        for name in used:
            assert f'"{name}":' in page, f"{script}.js says {name}, {path} does not know it"


@pytest.mark.parametrize(
    ("host", "addresses", "expected"),
    [
        ("localhost:8080", ["192.168.1.7"], "http://192.168.1.7:8080"),
        ("127.0.0.1:8080", ["192.168.1.7"], "http://192.168.1.7:8080"),
        ("[::1]:8080", ["192.168.1.7"], "http://192.168.1.7:8080"),
        ("127.0.0.1:8080", [], "http://127.0.0.1:8080"),
        ("localhost:8080", ["fd00::7"], "http://[fd00::7]:8080"),
        ("preau.local:8080", ["192.168.1.7"], "http://preau.local:8080"),
    ],
)
def test_pupils_are_told_an_address_they_can_reach(host: str, addresses: list[str], expected: str) -> None:
    assert base_url("http", host, 8080, addresses) == expected


def test_figures_for_people() -> None:
    assert [clock_text(5), clock_text(65.9), clock_text(3725)] == ["0:05", "1:05", "1:02:05"]
    assert [size_text(size, "en") for size in (12, 999_999, 734_000_000, 64_000_000_000)] == [
        "0 kB", "1 MB", "734 MB", "64.0 GB",
    ]  # fmt: skip
    assert size_text(734_000_000, "fr").split() == ["734", "Mo"]


def test_signing_in_opens_the_console(kit: Kit) -> None:
    client = kit.client()
    client.post("/api/v1/session", json={"pin": PIN})
    assert 'id="start"' in client.get("/teacher").text
