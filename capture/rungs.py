"""The rungs of the camera: sizes, rates, keyframe policies, and who wishes for them.

Pure but for a lock: wishes come from the command thread, the encoder thread asks.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from appliance.messages import CAMERA_360P, CAMERA_720P, RUNG_WISH_S, track_name
from capture.frames import HEIGHT, WIDTH
from capture.keyframes import INTERVAL_NS


@dataclass(frozen=True, slots=True)
class Rung:
    """One encoding of the camera. `level` is H.264's (annex A.3), `bitrate` bits per second; `keyframe_ns` lies
    between two keyframes that nobody asked for; a rung that is not `always` encoded lives by wishes."""

    name: str
    width: int
    height: int
    bitrate: int
    preset: str
    level: str
    keyframe_ns: int
    always: bool

    @property
    def track(self) -> str:
        return track_name("camera", self.name)


def ladder(top_bitrate: int, saving_bitrate: int) -> list[Rung]:
    """The rungs, best first. A keyframe of the saving rung weighs more on its line, and no recording is cut at it:
    it comes half as often unless asked for."""
    top = Rung("720p", WIDTH, HEIGHT, top_bitrate, "superfast", "3.1", INTERVAL_NS, True)
    saving = Rung("360p", WIDTH // 2, HEIGHT // 2, saving_bitrate, "veryfast", "3.0", 2 * INTERVAL_NS, False)
    assert (top.track, saving.track) == (CAMERA_720P, CAMERA_360P)
    return [top, saving]


class Wishes:
    """Until when each track is wished for, in ns of CLOCK_MONOTONIC."""

    def __init__(self, lasts_s: float = RUNG_WISH_S) -> None:
        self._lasts_ns = round(lasts_s * 1e9)
        self._lock = threading.Lock()
        self._until_ns: dict[str, int] = {}

    def want(self, track: str, now_ns: int) -> None:
        with self._lock:
            self._until_ns[track] = now_ns + self._lasts_ns

    def wanted(self, track: str, now_ns: int) -> bool:
        with self._lock:
            return now_ns < self._until_ns.get(track, now_ns)
