"""Every sentence of the pages is there in French, with the same places to fill in; the compiled catalogue is new."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from ui.tracks import REFUSALS

UI = Path(__file__).parents[2] / "ui"
FRENCH = UI / "translations/fr/LC_MESSAGES/messages.po"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
PLACE = re.compile(r"\{\w+\}|%\(\w+\)[sd]")


def french() -> Catalog:
    with FRENCH.open("rb") as file:
        return read_po(file, abort_invalid=True)


def test_every_sentence_is_there_in_french() -> None:
    known = french()
    extracted = {str(found[2]) for found in extract_from_dir(UI, METHODS, keywords={"_": None, "gettext": None})}
    assert len(extracted) > 150
    missing = [
        text for text in sorted(extracted | set(REFUSALS)) if text and not (known.get(text) and known[text].string)
    ]
    assert missing == []


def test_a_translation_has_the_places_of_its_sentence() -> None:
    for message in french():
        if message.id:
            assert sorted(PLACE.findall(str(message.id))) == sorted(PLACE.findall(str(message.string))), message.id
            assert not message.fuzzy, message.id


def test_what_is_compiled_is_what_is_written() -> None:
    compiled = read_mo(BytesIO(FRENCH.with_suffix(".mo").read_bytes()))
    assert {one.id: one.string for one in compiled if one.id} == {one.id: one.string for one in french() if one.id}
