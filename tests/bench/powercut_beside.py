"""What MediaMTX would lose by the same cuts: modelled from its documentation, not measured.

MediaMTX 1.20.1, mediamtx.yml: `recordFormat: fmp4`, `recordPartDuration: 1s`, of which it says "When a system failure
occurs, the last part gets lost. Therefore, the part duration is equal to the RPO (recovery point objective)." A part is
written, in one write, when the sample behind its first second has come (internal/recorder/format_fmp4_segment.go); no
call in its own sources asks for a sync. So a kill costs what is not yet written, and loss of power what the kernel has
not written back by itself: by Linux's defaults (vm.dirty_expire_centisecs, vm.dirty_writeback_centisecs) a file is
written when something of it has been waiting for 30 s, by a thread that looks every 5 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

PART_S, FRAME_S = 1.0, 1 / 30
EXPIRE_S, WAKE_S = 30.0, 5.0


class Beside(NamedTuple):
    """Seconds of a recording that are lost by a kill, and by loss of power."""

    kill_s: float
    power_s: float


def parts(given_s: float) -> list[tuple[float, float]]:
    """(when written, end) of the parts of a recording that began at 0, in seconds of it."""
    whole = int((given_s - FRAME_S) / PART_S) if given_s > FRAME_S else 0
    return [(number * PART_S + FRAME_S, number * PART_S) for number in range(1, whole + 1)]


def lost(given_s: float, phase_s: float = 0.0) -> Beside:
    """What is lost when `given_s` of a recording have been given to the recorder; the kernel's thread looks `phase_s`
    after its beginning, and then every `WAKE_S`."""
    written = parts(given_s)
    in_cache_s = written[-1][1] if written else 0.0
    return Beside(given_s - in_cache_s, given_s - _written_back(written, given_s, phase_s))


def _written_back(written: Sequence[tuple[float, float]], until_s: float, phase_s: float) -> float:
    """Up to where the kernel has written the recording by itself, at `until_s`."""
    on_disk_s, look_s = 0.0, phase_s
    while look_s <= until_s:
        waiting = [(when, end) for when, end in written if end > on_disk_s and when <= look_s]
        if waiting and look_s - waiting[0][0] >= EXPIRE_S:
            on_disk_s = waiting[-1][1]
        look_s += WAKE_S
    return on_disk_s
