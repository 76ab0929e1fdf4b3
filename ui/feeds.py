"""What can be watched over a WebSocket: the tracks of each feed, and what it asks of the service that makes them. Pure.

The camera and the shared screen; the camera's saving rung for lines that do not carry the sharp one; the sound alone of
either, for who wants no picture; the screen without its sound for browsers that play no Opus in MP4.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from appliance.messages import (
    CAMERA_360P,
    CAMERA_720P,
    MICROPHONE_AAC,
    SCREEN_MAIN,
    SCREEN_OPUS,
    QualityChoice,
    RequestKeyframe,
    WantRung,
)

FeedName = Literal["camera", "saving", "sound", "screen", "silent screen", "screen sound"]
Source = Literal["camera", "screen"]


class Feed(NamedTuple):
    """`tracks` of `service`, the picture's first, if any. With `history` the service keeps their last seconds
    (GetHistory); `wanted` is a rung that is made only while it is wished for; else a keyframe is asked for when the
    last is older than `keyframe_s`."""

    service: str
    tracks: tuple[str, ...]
    history: bool = False
    wanted: bool = False
    keyframe_s: float = 2.0

    @property
    def pictured(self) -> bool:
        return self.tracks[0] not in (MICROPHONE_AAC, SCREEN_OPUS)

    def wish(self, keyframe_age_s: float) -> WantRung | RequestKeyframe | None:
        """What to ask of the service, about once a second; the age is infinite before the first keyframe."""
        if self.wanted:
            return WantRung(self.tracks[0])
        return RequestKeyframe(self.tracks[0]) if self.pictured and keyframe_age_s > self.keyframe_s else None


FEEDS: dict[FeedName, Feed] = {
    "camera": Feed("capture", (CAMERA_720P, MICROPHONE_AAC), history=True),
    "saving": Feed("capture", (CAMERA_360P, MICROPHONE_AAC), history=True, wanted=True),
    "sound": Feed("capture", (MICROPHONE_AAC,), history=True),
    "screen": Feed("streaming", (SCREEN_MAIN, SCREEN_OPUS)),
    "silent screen": Feed("streaming", (SCREEN_MAIN,)),
    "screen sound": Feed("streaming", (SCREEN_OPUS,)),
}
CAMERA: tuple[FeedName, ...] = ("camera", "saving", "sound")
SCREEN: tuple[FeedName, ...] = ("screen", "silent screen", "screen sound")


class Wanted(NamedTuple):
    """What a viewer asks for."""

    source: Source
    quality: QualityChoice
    sound: bool

    @property
    def screen_feed(self) -> FeedName:
        """What is sent of the screen, which has one rung."""
        if self.quality == "sound":
            return "screen sound"
        return "screen" if self.sound else "silent screen"


def wanted(source: str, quality: str, sound: str) -> Wanted | None:
    """The query of ``/stream``; None when it makes no sense."""
    if source not in get_args(Source) or quality not in get_args(QualityChoice) or sound not in ("yes", "no"):
        return None
    if (quality, sound) == ("sound", "no"):
        return None
    return Wanted(source, quality, sound == "yes")  # type: ignore[arg-type]
