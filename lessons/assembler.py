"""From packets to fragments: which bytes go into which part, and what the journal says about them.

Pure: packets and wall time in, `Append` and `Close` orders out; the shell carries them out in order. A fragment
ends at a video keyframe once it is `KEYFRAME_CUT_S` long (or began without a keyframe, so that playlists soon
find an independent start again), and at any frame once it is `ANY_CUT_S` long. A part ends when a
video packet is missing, the encoder was restarted, its parameters changed, or keyframes stay away; the next
part begins at the next keyframe, at the place on the timeline where the last one ended.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from appliance import fmp4
from appliance.fmp4 import AUDIO_TRACK, VIDEO_TIMESCALE, VIDEO_TRACK, Audio, Run, Sample, Video
from appliance.messages import Packet, VideoFormat
from lessons.journal import Fragment, Gap, PartClosed, PartOpened, Record
from lessons.recording import Part

SECOND = 1_000_000_000
KEYFRAME_CUT_S = 0.3
ANY_CUT_S = 1.0
AUDIO_WAIT_S = 0.5  # how long a new part waits to learn whether there is sound
KEYFRAME_LIMIT_S = 4.0  # keyframes come every second; the playlist's target duration rests on this limit
STALL_S = 3.0  # sound without pictures for so long ends the part
AUDIO_DRIFT_S = 0.040
SPARE_AUDIO_S = 2.0


class Append(NamedTuple):
    """Make `data` durable at the end of part file `file`, then `records` in the journal."""

    file: str
    data: bytes
    records: tuple[Record, ...]


class Close(NamedTuple):
    """The part file is complete; journal `record`."""

    record: PartClosed


Order = Append | Close


class Rules(NamedTuple):
    """How a source is recorded: the name of its files, how long keyframes may stay away and how long sound may come
    without pictures (s). With `audio` every part has that sound track, silent where no sound comes; else a part has
    what it begins with."""

    prefix: str = "part"
    keyframe_limit_s: float = KEYFRAME_LIMIT_S
    stall_s: float = STALL_S
    audio: Audio | None = None


CAMERA_RULES = Rules()
# OBS sends a keyframe every 250 frames, whatever it is asked; a still screen may send no picture for seconds. Players
# cannot change between parts with and without sound: all have it.
SCREEN_RULES = Rules("screen", 12.0, 12.0, fmp4.OPUS)
SILENCE = b"\xfc\xff\xfe"  # 20 ms of it as an Opus packet (RFC 6716): CELT, two channels
SILENCE_SAMPLES = 960
SILENCE_AFTER_S = 0.5  # sound that comes later than this after its picture is too late
# A part beside the camera ends where it would be so far from its place on the lesson's timeline.
ALIGNMENT_S = 0.1


def part_name(number: int, prefix: str = CAMERA_RULES.prefix) -> str:
    return f"{prefix}-{number:04d}.mp4"


@dataclass
class _Open:
    """The part being written. `length` is 0 until its first fragment carries the initialisation segment."""

    number: int
    start: int
    origin_ns: int
    epoch: int
    video: Video
    key_ns: int
    end: int
    audio: Audio | None = None
    audio_next: int | None = None
    length: int = 0
    fragments: int = 0

    def ticks(self, pts_ns: int, timescale: int) -> int:
        """The place of a capture time on the lesson's timeline, in units of `timescale` per second."""
        return self.start * timescale // VIDEO_TIMESCALE + round((pts_ns - self.origin_ns) * timescale / SECOND)


class Assembler:
    """Feed it every packet in order with `push`, and end it with `finish`.

    `number` and `start` (ticks) are the next part's; `ended_ns` the capture time up to which the lesson is
    recorded, None when that was on another boot's clock; `gap` why something may be missing before the next
    part, empty when nothing can be. `place` gives the place of a capture time on the lesson's timeline (ticks; None:
    it has none now) to a source beside the camera: its parts begin there, with holes between them.
    """

    def __init__(
        self,
        number: int,
        start: int,
        boot_id: str,
        *,
        ended_ns: int | None = None,
        gap: str = "",
        rules: Rules = CAMERA_RULES,
        place: Callable[[int], int | None] | None = None,
    ) -> None:
        self._rules = rules
        self._place = place
        self._number = number
        self._start = start
        self._boot_id = boot_id
        self._ended_ns = ended_ns
        self._gap = gap
        self._part: _Open | None = None
        self._frames: list[Packet] = []
        self._sounds: deque[Packet] = deque()
        self._video_last: tuple[int, int] | None = None
        self._audio_last: tuple[int, int] | None = None
        self._audio_written: tuple[int, int] | None = None
        self.missing = 0  # video and audio packets that never came

    @classmethod
    def resume(cls, part: Part, boot_id: str) -> Assembler:
        """Go on in `part`, which must have a fragment, as if this process had written it."""
        opened, last = part.opened, part.fragments[-1]
        assert opened.video, "sound alone has another assembler"
        self = cls(opened.number + 1, part.end, boot_id)
        keyed = next((one for one in reversed(part.fragments) if one.keyframe), part.fragments[0])
        key_ns = opened.origin_ns + (keyed.start - opened.start) * SECOND // VIDEO_TIMESCALE
        self._part = _Open(
            opened.number, opened.start, opened.origin_ns, opened.epoch, opened.video, key_ns, part.end,
            opened.audio, last.audio_end, part.length, len(part.fragments),
        )  # fmt: skip
        self._ended_ns = last.end_ns
        self._video_last = (opened.epoch, last.video_seq)
        if last.audio_epoch is not None and last.audio_seq is not None:
            self._audio_last = self._audio_written = (last.audio_epoch, last.audio_seq)
        return self

    @property
    def waiting(self) -> bool:
        """True while nothing can be recorded before the next keyframe."""
        return self._part is None

    def push(self, packet: Packet, at: float) -> list[Order]:
        """Take the next packet of either track; `at` is the wall time in Unix seconds."""
        if isinstance(packet.format, VideoFormat):
            return list(self._picture(packet, packet.format, at))
        return list(self._sound(packet, at))

    def finish(self, at: float, reason: str | None) -> list[Order]:
        """Write what is pending; with a `reason` also close the part, without one it can be resumed."""
        return list(self._end(reason, at, None))

    # --- pictures ---

    def _picture(self, packet: Packet, format: VideoFormat, at: float) -> Iterator[Order]:
        last, self._video_last = self._video_last, (packet.epoch, packet.seq)
        if last and packet.epoch == last[0] and packet.seq <= last[1]:
            self._video_last = last
            return
        video = _video(packet, format) if packet.keyframe else None
        placed = self._place(packet.pts_ns) if self._place else None
        if self._place and self._part and (placed is None or self._astray(self._part, packet.pts_ns, placed)):
            yield from self._end("moved", at, packet.pts_ns)
        if self._part:
            if last and packet.epoch != last[0]:
                yield from self._end("epoch", at, packet.pts_ns)
            elif last and packet.seq != last[1] + 1:
                self.missing += packet.seq - last[1] - 1
                yield from self._end("loss", at, packet.pts_ns)
            elif packet.pts_ns - self._part.key_ns > self._rules.keyframe_limit_s * SECOND:
                yield from self._end("stall", at, packet.pts_ns)
            elif video and self._part.length and (video != self._part.video or self._audio_changed(packet.pts_ns)):
                yield from self._roll(packet.pts_ns, at)
        if self._part is None:
            start = placed if self._place else self._start
            if video is None or start is None or start < self._start:
                return
            self._open(packet, video, start)
        elif self._cut_due(packet):
            yield self._cut(packet.pts_ns, at)
        if self._part and video:
            self._part.key_ns = packet.pts_ns
        self._frames.append(packet)

    def place(self, pts_ns: int) -> int | None:
        """Where a capture time stands on the timeline, in ticks; None outside an open part."""
        part = self._part
        return part.ticks(pts_ns, VIDEO_TIMESCALE) if part and pts_ns >= part.origin_ns else None

    @staticmethod
    def _astray(part: _Open, pts_ns: int, place: int) -> bool:
        return abs(place - part.ticks(pts_ns, VIDEO_TIMESCALE)) > ALIGNMENT_S * VIDEO_TIMESCALE

    def _open(self, packet: Packet, video: Video, start: int) -> None:
        origin_ns = packet.pts_ns
        part = _Open(self._number, start, origin_ns, packet.epoch, video, origin_ns, start, self._rules.audio)
        if part.audio:
            part.audio_next = part.ticks(origin_ns, part.audio.rate)
        self._part = part
        self._number += 1

    def _cut_due(self, packet: Packet) -> bool:
        part = self._part
        if not self._frames or part is None:
            return False
        undecided = self._rules.audio is None and not part.length and self._first_format(part.origin_ns) is None
        if undecided and packet.pts_ns - part.origin_ns < AUDIO_WAIT_S * SECOND:
            return False
        elapsed = packet.pts_ns - self._frames[0].pts_ns
        if packet.keyframe:
            return elapsed >= KEYFRAME_CUT_S * SECOND or not self._frames[0].keyframe
        return elapsed >= ANY_CUT_S * SECOND

    # --- sound ---

    def _sound(self, packet: Packet, at: float) -> Iterator[Order]:
        last = self._audio_last
        if last and packet.epoch == last[0]:
            if packet.seq <= last[1]:
                return
            self.missing += packet.seq - last[1] - 1
        self._audio_last = (packet.epoch, packet.seq)
        self._sounds.append(packet)
        if self._part is None:
            while packet.pts_ns - self._sounds[0].pts_ns > SPARE_AUDIO_S * SECOND:
                self._sounds.popleft()
        elif self._frames and packet.pts_ns - self._frames[-1].pts_ns > self._rules.stall_s * SECOND:
            yield from self._end("stall", at, None)

    def _first_format(self, since_ns: int) -> Audio | None:
        return next((fmp4.audio_of(one) for one in self._sounds if one.pts_ns >= since_ns), None)

    def _audio_changed(self, since_ns: int) -> bool:
        """Whether the sound that waits at a keyframe is not what the part's sample entry says."""
        return any(one.pts_ns >= since_ns - SECOND and fmp4.audio_of(one) != self._part_audio for one in self._sounds)

    @property
    def _part_audio(self) -> Audio | None:
        return self._part.audio if self._part else None

    def _take_sounds(self, part: _Open, end_ns: int, silent_to_ns: int) -> tuple[int, list[Sample]]:
        """The pending sound before `end_ns`: its decode time and samples. A hole lengthens the sample before it, or is
        filled with silence, as is what lacks up to `silent_to_ns`."""
        start = part.audio_next or 0
        samples: list[Sample] = []
        while self._sounds and self._sounds[0].pts_ns < end_ns:
            packet = self._sounds.popleft()
            if part.audio is None or packet.pts_ns < part.origin_ns or fmp4.audio_of(packet) != part.audio:
                continue
            rate = part.audio.rate
            place = part.ticks(packet.pts_ns, rate)
            drift = 0 if part.audio_next is None else place - part.audio_next
            if drift <= -AUDIO_DRIFT_S * rate:
                continue
            if drift >= AUDIO_DRIFT_S * rate and self._rules.audio:
                drift -= self._be_silent(part, samples, place)
            if part.audio_next is not None and drift < AUDIO_DRIFT_S * rate:
                place = part.audio_next
            elif samples:
                samples[-1] = samples[-1]._replace(duration=samples[-1].duration + drift)
            if not samples:
                start = place
            duration = round(packet.duration_ns * rate / SECOND)
            samples.append(Sample(packet.data, duration, True))
            part.audio_next = place + duration
            self._audio_written = (packet.epoch, packet.seq)
        if self._rules.audio:
            self._be_silent(part, samples, part.ticks(silent_to_ns, self._rules.audio.rate))
        return start, samples

    @staticmethod
    def _be_silent(part: _Open, samples: list[Sample], place: int) -> int:
        """Add silence, in whole packets, up to `place` on the timeline; gives how much."""
        assert part.audio_next is not None
        count = max(0, place - part.audio_next) // SILENCE_SAMPLES
        samples += [Sample(SILENCE, SILENCE_SAMPLES, True)] * count
        part.audio_next += count * SILENCE_SAMPLES
        return count * SILENCE_SAMPLES

    # --- fragments and parts ---

    def _cut(self, end_ns: int, at: float, *, last: bool = False) -> Append:
        """The pending frames and the sound beside them, up to `end_ns`, as one fragment; `last` of its part."""
        part = self._part
        assert part is not None
        frames, self._frames = self._frames, []
        records: list[Record] = []
        init = b""
        if not part.length:
            part.audio = self._rules.audio or self._first_format(part.origin_ns)
            init = fmp4.init_segment(part.video, part.audio)
            if self._gap and self._place is None:
                seconds = None if self._ended_ns is None else (part.origin_ns - self._ended_ns) / SECOND
                records.append(Gap(seconds, self._gap))
                self._gap = ""
            records.append(self._opened(part, init))
        start = max(part.end, part.ticks(frames[0].pts_ns, VIDEO_TIMESCALE))
        places = [start]
        for pts_ns in (*(frame.pts_ns for frame in frames[1:]), end_ns):
            places.append(max(places[-1] + 1, part.ticks(pts_ns, VIDEO_TIMESCALE)))
        pictures = [
            Sample(fmp4.avc_sample(frame.data), after - place, frame.keyframe)
            for frame, place, after in zip(frames, places, places[1:], strict=False)
        ]
        silent_to_ns = end_ns if last else end_ns - int(SILENCE_AFTER_S * SECOND)
        audio_start, sounds = self._take_sounds(part, end_ns, silent_to_ns)
        runs = (Run(VIDEO_TRACK, start, pictures), Run(AUDIO_TRACK, audio_start, sounds))
        part.fragments += 1
        data = fmp4.fragment(part.fragments, runs)
        audio_epoch, audio_seq = self._audio_written or (None, None)
        records.append(
            Fragment(
                part.number,
                part.length + len(init),
                len(data),
                start,
                places[-1] - start,
                frames[0].keyframe,
                end_ns,
                frames[-1].seq,
                audio_epoch,
                audio_seq,
                part.audio_next,
                at,
                zlib.crc32(data),
            )  # fmt: skip
        )
        part.length += len(init) + len(data)
        part.end = places[-1]
        self._start, self._ended_ns = part.end, end_ns
        return Append(part_name(part.number, self._rules.prefix), init + data, tuple(records))

    def _opened(self, part: _Open, init: bytes) -> PartOpened:
        return PartOpened(
            part.number, part_name(part.number, self._rules.prefix), len(init), part.epoch, self._boot_id,
            part.origin_ns, part.start, fmp4.codecs(part.video, part.audio), part.video, part.audio, zlib.crc32(init),
        )  # fmt: skip

    def _end(self, reason: str | None, at: float, next_ns: int | None) -> Iterator[Order]:
        """Write what is pending and, given a `reason`, close the part: something is missing behind it."""
        part = self._part
        if part is None:
            return
        if self._frames:
            yield self._cut(self._last_end(part, next_ns, reason), at, last=True)
        if reason is not None:
            self._gap = reason
            self._part = None
            if part.length:
                yield Close(PartClosed(part.number, reason))

    def _last_end(self, part: _Open, next_ns: int | None, reason: str | None) -> int:
        """When the last pending frame ends: after its nominal duration, or with the sound when pictures stall."""
        last = self._frames[-1]
        end = last.pts_ns + max(last.duration_ns, 1)
        if reason == "stall" and len(self._sounds) > 1:
            # Not the newest: when it is the first of a restarted capture, there is no sound up to it.
            end = max(end, min(self._sounds[-2].pts_ns, part.key_ns + int(KEYFRAME_LIMIT_S * SECOND)))
        return min(end, next_ns) if next_ns is not None and next_ns > last.pts_ns else end

    def _roll(self, next_ns: int, at: float) -> Iterator[Order]:
        """Close the part in front of a keyframe that needs another sample entry: nothing is missing."""
        part = self._part
        assert part is not None
        if self._frames:
            yield self._cut(next_ns, at, last=True)
        self._part = None
        yield Close(PartClosed(part.number, "format"))


def _video(packet: Packet, format: VideoFormat) -> Video | None:
    """What a keyframe tells a decoder, None when it lacks the parameter sets (then no part can begin with it)."""
    sps, pps = fmp4.parameter_sets(packet.data)
    return Video(format.width, format.height, sps, pps) if sps and pps else None
