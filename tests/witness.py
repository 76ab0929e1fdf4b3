"""What tests/witness.js saw and heard in a page, judged. Pure; times in ms, the page's wall clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = (Path(__file__).parent / "witness.js").read_text(encoding="utf-8")
SAMPLES_PER_MS = 48
SETTLED_MS = 10_000
HEARD_MS = 100.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A tenth of a second or so, which ended at `at`. `quiet` is the longest stretch without sound that ended in it or
    lasts; `concealed` is what the browser made up, in `events` stretches of which the first may have begun before."""

    at: float
    quiet: float
    played: float
    concealed: float
    events: int
    frames: int
    freezes: int
    frozen: float
    shown: str


def read(noted: Sequence[dict[str, Any]]) -> list[Tick]:
    """The ticks of a page, as JavaScript wrote them."""
    return [
        Tick(
            at=one["at"],
            quiet=one["quiet"],
            played=one["totalSamplesReceived"] / SAMPLES_PER_MS,
            concealed=one["concealedSamples"] / SAMPLES_PER_MS,
            events=one["concealmentEvents"],
            frames=one["framesDecoded"],
            freezes=one["freezeCount"],
            frozen=one["totalFreezesDuration"] * 1000,
            shown=_shown(one),
        )
        for one in noted
    ]


def _shown(one: dict[str, Any]) -> str:
    if one["state"] != "live":
        return "nothing"
    return "still" if one["showing"] == "still" else str(one["width"])


def longest_gap(ticks: Sequence[Tick]) -> float:
    """The longest stretch without true sound since the first: quiet, or made up. Where two stretches of made-up sound
    lie in ticks that follow each other, nobody says how much lies between them: they are taken for one."""
    longest = running = 0.0
    begun = False
    for tick in ticks:
        begun = begun or tick.played > tick.concealed
        if not begun:
            continue
        running = running + tick.concealed if tick.concealed else 0.0
        longest = max(longest, tick.quiet, running)
        if tick.events:
            running = tick.concealed
    return longest


def settled(ticks: Sequence[Tick]) -> tuple[float, str]:
    """When the page began to show what it then showed for SETTLED_MS (or to the end), and what that is."""
    since, shown = ticks[0].at, ticks[0].shown
    for tick in ticks:
        if tick.shown != shown:
            since, shown = tick.at, tick.shown
        elif shown != "nothing" and tick.at - since >= SETTLED_MS:
            break
    return since, shown


def first_frame_after(ticks: Sequence[Tick], at: float) -> float:
    """When the first picture after `at` had come; infinite if none did."""
    return next((tick.at for tick in ticks if tick.at > at and tick.frames), float("inf"))


def first_sound_after(ticks: Sequence[Tick], at: float) -> float:
    """When a tick after `at` had ended of which most was true sound, and audible; infinite if none did."""
    true = (tick.at for tick in ticks if tick.at > at and tick.played > 2 * tick.concealed and tick.quiet < HEARD_MS)
    return next(true, float("inf"))


def between(ticks: Sequence[Tick], begin: float, end: float) -> list[Tick]:
    return [tick for tick in ticks if begin <= tick.at <= end]
