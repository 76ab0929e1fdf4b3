"""Which modules a page's script is made of, so that the page can name them all at once.

A browser that is not told asks for each only when it has read the one that imports it: over Wi-Fi, a round trip for
every level of nesting.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).resolve().parent / "static"
_IMPORT = re.compile(r"""\b(?:from|import)\s*\(?\s*["'](\.{1,2}/[^"']+\.m?js)["']""")


@cache
def modules(name: str) -> tuple[str, ...]:
    """What `js/NAME.js` imports, directly or not, as paths below the folder of static files, the nearest first."""
    found = [STATIC / "js" / f"{name}.js"]
    for module in found:  # it grows meanwhile
        imported = ((module.parent / path).resolve() for path in _IMPORT.findall(module.read_text(encoding="utf-8")))
        found += [one for one in dict.fromkeys(imported) if one not in found]
    return tuple(module.relative_to(STATIC).as_posix() for module in found[1:])
