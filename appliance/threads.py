"""The threads of this process by name, for those who watch whether some are left over.

Pools name theirs with numbers, which are left out: how many of a name there are is what tells.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from pathlib import Path

NATIVE = "native"
_NUMBER = re.compile(r"[-_]\d+")


def kind_of(name: str) -> str:
    """``ThreadPoolExecutor-0_3`` is one of ``ThreadPoolExecutor``."""
    return _NUMBER.sub("", name)


def by_kind() -> Counter[str]:
    """How many there are of each; those that libraries started without Python's knowing are NATIVE (proc(5), task)."""
    found = Counter(kind_of(thread.name) for thread in threading.enumerate())
    everything = sum(1 for _ in Path("/proc/self/task").iterdir())
    found[NATIVE] = max(0, everything - found.total())
    return found
