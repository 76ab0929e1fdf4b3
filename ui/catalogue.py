"""Keep the translations whole: ``python -m ui.catalogue [--check]``.

Collects the msgids of Python files and templates, merges them into messages.po and compiles messages.mo; with
--check it only says what is missing. A msgid without a French sentence is an error.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from ui.tracks import REFUSALS

UI = Path(__file__).resolve().parent
FOLDER = UI / "translations/fr/LC_MESSAGES"
METHODS = [("templates/**.html", "jinja2"), ("*.py", "python")]


def extract() -> Catalog:
    """The msgids in use, in the order of the files."""
    catalogue = Catalog(project="preau", charset="utf-8")
    options = {"templates/**.html": {"encoding": "utf-8", "trimmed": "true"}}
    for _file, _line, message, _comments, context in extract_from_dir(str(UI), METHODS, options):
        catalogue.add(message, context=context)
    for message in REFUSALS:  # translated where they are shown
        catalogue.add(message)
    return catalogue


def read(folder: Path = FOLDER) -> Catalog:
    with (folder / "messages.po").open("rb") as file:
        return read_po(file, locale="fr")


def compiled(catalogue: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def problems() -> list[str]:
    """What is missing, left over or not compiled."""
    wanted = {message.id for message in extract() if message.id}
    catalogue = read()
    known = {message.id: message for message in catalogue if message.id}
    wrong = [f"not in messages.po: {id!r}" for id in wanted - known.keys()]
    wrong += [f"no longer used: {id!r}" for id in known.keys() - wanted]
    wrong += [f"not translated: {id!r}" for id, message in known.items() if not message.string or message.fuzzy]
    if (FOLDER / "messages.mo").read_bytes() != compiled(catalogue):
        wrong.append("messages.mo is older than messages.po")
    return sorted(wrong)


def update() -> None:
    path = FOLDER / "messages.po"
    catalogue = read() if path.exists() else Catalog(locale="fr", project="preau", charset="utf-8")
    catalogue.update(extract(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    with path.open("wb") as file:
        write_po(file, catalogue, width=110, no_location=True, omit_header=False, sort_output=False)
    (FOLDER / "messages.mo").write_bytes(compiled(read()))


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m ui.catalogue [--check]\n")
        return 2
    if not arguments:
        update()
    wrong = problems()
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
