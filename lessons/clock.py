"""Whether the wall clock can be believed, for what cannot be undone: lessons are deleted by date. Pure but for `Clock`.

A kit may have no battery for its clock, or be told a wrong time. Nobody knows the right one; what is known is the
newest time that was ever believed or written down (kept in DATA_DIR/clock.json), and how the wall clock moves beside
the machine's own (CLOCK_BOOTTIME, which no one sets).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from appliance import durable

log = structlog.get_logger()

FILE = "clock.json"
STEP_S = 3600.0
AWAY_S = 60 * 86_400.0  # the longest holidays
STEADY_S = 86_400.0
PAUSE_S = 3 * 86_400.0  # a weekend is none

Doubt = Literal["", "behind", "stepped", "ahead"]


class Known(msgspec.Struct, frozen=True):
    """What the kit knows of its clock after a look; Unix seconds are `wall`, CLOCK_BOOTTIME is `boot_s`.

    `ahead_s` is how far wall time was ahead of boot time when this boot was first seen, `stepped` whether that has
    changed since. `since` is the wall time at which the looks began that follow each other without a pause. `newest` is
    the newest wall time believed (None: none yet), `doubt` why this one is not ("": it is), `steady_s` how long one in
    doubt has run steadily.
    """

    boot: str
    ahead_s: float
    wall: float
    boot_s: float
    since: float
    newest: float | None = None
    stepped: bool = False
    steady_s: float = 0.0
    doubt: Doubt = ""


def look(known: Known | None, boot: str, wall: float, boot_s: float, written: float | None) -> Known:
    """What is known after a look at both clocks in boot `boot`.

    `written` is the newest time that lessons and receipts tell. Before the newest known time the clock is `behind`;
    after a step of more than an hour it has `stepped`, for the rest of the boot; more than 60 days after the newest
    time it is `ahead`, until it has run for 24 h without a step.
    """
    same = known is not None and known.boot == boot
    ahead_s = known.ahead_s if known and same else wall - boot_s
    stepped = bool(known and same and known.stepped) or abs(wall - boot_s - ahead_s) > STEP_S
    newest = written if known is None or known.newest is None else known.newest
    since = known.since if known and wall - known.wall <= PAUSE_S else wall
    seen = Known(boot, ahead_s, wall, boot_s, since, newest, stepped)
    if newest is not None and wall < max(newest, written or newest):
        return msgspec.structs.replace(seen, doubt="behind")
    if stepped:
        return msgspec.structs.replace(seen, doubt="stepped")
    if newest is None:
        return seen  # nothing has a date yet
    if wall - newest > AWAY_S:
        steady_s = _steady(known, wall, boot_s, same=same) if known else 0.0
        if steady_s < STEADY_S:
            return msgspec.structs.replace(seen, steady_s=steady_s, doubt="ahead")
    return msgspec.structs.replace(seen, newest=wall)


def _steady(known: Known, wall: float, boot_s: float, *, same: bool) -> float:
    """How long the clock has run without a step, over boots after which it went on from where it was."""
    if same:
        return known.steady_s + max(0.0, boot_s - known.boot_s)
    return known.steady_s if 0 <= wall - known.wall <= AWAY_S else 0.0


class Clock:
    """The clock of boot `boot`, remembered in a data folder. `look` belongs to one thread."""

    def __init__(
        self, folder: Path, boot: str, wall: Callable[[], float] = time.time,
        boot_s: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:  # fmt: skip
        self._path = folder / FILE
        self._boot = boot
        self._wall = wall
        self._boot_s = boot_s

    def now(self) -> float:
        """Unix seconds, to be believed or not. Safe from any thread."""
        return self._wall()

    def look(self, written: float | None) -> Known:
        """What is known now. Raises OSError: nothing is believed that cannot be kept."""
        known = look(self._read(), self._boot, self._wall(), self._boot_s(), written)
        durable.write(self._path, msgspec.json.encode(known))
        return known

    def _read(self) -> Known | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Known)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("what was known of the clock cannot be read", error=str(error))
            return None
