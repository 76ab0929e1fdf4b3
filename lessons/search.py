"""How lessons are searched: letter case, accents and ligatures do not count. Pure, no I/O."""

from __future__ import annotations

import unicodedata

MOST_WORDS = 12
# What Unicode leaves apart but people write either way.
_SAME = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ı": "i", "’": "'", "ʼ": "'"})


def key(text: str) -> str:
    """`text` as it is compared: two that differ only in case, accents, ligatures or spaces have the same."""
    # Decomposed before as well as after: folding leaves apart some compatibility characters whose parts have case.
    folded = unicodedata.normalize("NFKD", text).casefold().translate(_SAME)
    parts = unicodedata.normalize("NFKD", folded)
    return " ".join("".join(letter for letter in parts if not unicodedata.combining(letter)).split())


def words(text: str) -> list[str]:
    """What somebody looks for, as keys; each is to be found."""
    return key(text).split()[:MOST_WORDS]
