"""Live fragmented MP4 for Media Source Extensions: packets of the bus in, segments for every viewer out.

Pure. It is done once for all viewers: each gets the same bytes. A fragment holds about 100 ms (or one picture, where
they come more rarely); it ends in front of a keyframe, so that a viewer can begin there. One frame is held back to know
how long the one before it lasts, for browsers take a hole between frames for a seek. Sound alone is cut by time.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from appliance import fmp4
from appliance.fmp4 import AUDIO_TRACK, VIDEO_TIMESCALE, VIDEO_TRACK, Audio, Run, Sample, Video
from appliance.messages import Packet, VideoFormat

SECOND = 1_000_000_000
FRAGMENT_NS = SECOND // 10
AUDIO_WAIT_NS = SECOND // 2  # how long the first fragment waits to learn whether there is sound
AUDIO_DRIFT_S = 0.040
SOUND_KEPT_NS = 5 * SECOND  # a screen on which nothing moves is sent about once a second


class Head(NamedTuple):
    """What comes before any fragment: the type as `addSourceBuffer` takes it (RFC 6381), the initialisation segment."""

    type: str
    data: bytes


class Segment(NamedTuple):
    """One fragment, to be played behind `head`; with `start` it begins with a keyframe."""

    head: Head
    data: bytes
    start: bool


def ticks(span_ns: int, timescale: int) -> int:
    return round(span_ns * timescale / SECOND)


class Sounds:
    """Packets of sound that wait for their fragment, and where each stands on the timeline."""

    def __init__(self) -> None:
        self._waiting: deque[Packet] = deque()
        self._audio: Audio | None = None
        self._origin_ns = 0
        self._next: int | None = None

    def add(self, packet: Packet) -> None:
        self._waiting.append(packet)
        while packet.pts_ns - self._waiting[0].pts_ns > SOUND_KEPT_NS:
            self._waiting.popleft()

    def begin(self, audio: Audio | None, since_ns: int, origin_ns: int) -> None:
        """A head that says `audio` comes before what is sent from `since_ns` on; the timeline's zero is at
        `origin_ns`."""
        self._audio, self._origin_ns, self._next = audio, origin_ns, None
        while self._waiting and self._waiting[0].pts_ns < since_ns:
            self._waiting.popleft()

    def run(self, end_ns: int) -> Run:
        """The sound before `end_ns`; a hole lengthens the sample before it."""
        start = self._next or 0
        samples: list[Sample] = []
        while self._waiting and self._waiting[0].pts_ns < end_ns:
            packet = self._waiting.popleft()
            if self._audio is None or packet.pts_ns < self._origin_ns:
                continue
            rate = self._audio.rate
            place = ticks(packet.pts_ns - self._origin_ns, rate)
            late = 0 if self._next is None else place - self._next
            if late <= -AUDIO_DRIFT_S * rate:
                continue
            if self._next is not None and late < AUDIO_DRIFT_S * rate:
                place = self._next
            elif samples:
                samples[-1] = samples[-1]._replace(duration=samples[-1].duration + late)
            if not samples:
                start = place
            duration = ticks(packet.duration_ns, rate)
            samples.append(Sample(packet.data, duration, True))
            self._next = place + duration
        return Run(AUDIO_TRACK, start, samples)


class Segmenter:
    """`push` every packet of both tracks in order. All is one timeline, whose zero is at `origin_ns`, or the first
    keyframe."""

    def __init__(self, origin_ns: int | None = None) -> None:
        self._head: Head | None = None
        self._begun: Video | None = None
        self._video: Video | None = None
        self._audio: Audio | None = None
        self._heard: Audio | None = None
        self._origin_ns = origin_ns
        self._last: tuple[int, int] | None = None
        self._frames: list[Packet] = []
        self._sounds = Sounds()
        self._video_next = 0
        self._first_ns: int | None = None
        self._sequence = 0

    def push(self, packet: Packet) -> list[Segment]:
        """The segments that are complete with this packet. After a loss nothing comes before the next keyframe."""
        if isinstance(packet.format, VideoFormat):
            return self._picture(packet, packet.format)
        if (audio := fmp4.audio_of(packet)) is not None:
            self._heard = audio
            self._sounds.add(packet)
        return []

    def _picture(self, packet: Packet, form: VideoFormat) -> list[Segment]:
        if self._last and (packet.epoch, packet.seq) != (self._last[0], self._last[1] + 1):
            self._frames.clear()
        self._last = (packet.epoch, packet.seq)
        if not self._frames and not packet.keyframe:
            return []
        done: list[Segment] = []
        due = self._frames and (packet.keyframe or packet.pts_ns - self._frames[0].pts_ns >= FRAGMENT_NS)
        if due and self._decided(packet.pts_ns):
            done.append(self._fragment(packet.pts_ns))
        if packet.keyframe:
            self._frames.clear()  # undecided until here: a viewer begins with this one
            if not self._begin(packet, form):
                return done
        self._frames.append(packet)
        return done

    def _begin(self, packet: Packet, form: VideoFormat) -> bool:
        """Take in what a keyframe says; False when it does not say it all."""
        sps, pps = fmp4.parameter_sets(packet.data)
        if not sps or not pps:
            return False
        self._begun = Video(form.width, form.height, sps, pps)
        if self._first_ns is None:
            self._first_ns = packet.pts_ns
        return True

    def _decided(self, now_ns: int) -> bool:
        """Whether it is known what the head must say."""
        waited = self._first_ns is not None and now_ns - self._first_ns >= AUDIO_WAIT_NS
        return self._head is not None or self._heard is not None or waited

    def _settle(self, first: Packet) -> Head:
        """The head of a fragment; a new one where its keyframe asks for it."""
        if self._origin_ns is None:
            self._origin_ns = first.pts_ns
        video = self._begun
        assert video is not None
        if self._head is None or (first.keyframe and (video, self._heard) != (self._video, self._audio)):
            self._video, self._audio = video, self._heard
            mime = f'video/mp4; codecs="{fmp4.codecs(video, self._audio)}"'
            self._head = Head(mime, fmp4.init_segment(video, self._audio))
            self._sounds.begin(self._audio, first.pts_ns, self._origin_ns)
        return self._head

    def _ticks(self, pts_ns: int) -> int:
        assert self._origin_ns is not None
        return ticks(pts_ns - self._origin_ns, VIDEO_TIMESCALE)

    def _fragment(self, end_ns: int) -> Segment:
        frames, self._frames = self._frames, []
        head = self._settle(frames[0])
        places = [max(self._video_next, self._ticks(frames[0].pts_ns))]
        for pts_ns in (*(frame.pts_ns for frame in frames[1:]), end_ns):
            places.append(max(places[-1] + 1, self._ticks(pts_ns)))
        self._video_next = places[-1]
        pictures = [
            Sample(fmp4.avc_sample(frame.data), after - place, frame.keyframe)
            for frame, place, after in zip(frames, places, places[1:], strict=False)
        ]
        self._sequence += 1
        runs = (Run(VIDEO_TRACK, places[0], pictures), self._sounds.run(end_ns))
        return Segment(head, fmp4.fragment(self._sequence, runs), frames[0].keyframe)


class SoundSegmenter:
    """The same for sound alone: a viewer can begin with every fragment."""

    def __init__(self, origin_ns: int | None = None) -> None:
        self._head: Head | None = None
        self._audio: Audio | None = None
        self._origin_ns = origin_ns
        self._since_ns = 0
        self._sounds = Sounds()
        self._sequence = 0

    def push(self, packet: Packet) -> list[Segment]:
        """The segments that are complete with this packet."""
        audio = fmp4.audio_of(packet)
        if audio is None:
            return []
        done: list[Segment] = []
        if self._head is None or audio != self._audio:
            self._begin(audio, packet.pts_ns)
        elif packet.pts_ns - self._since_ns >= FRAGMENT_NS:
            run, self._since_ns = self._sounds.run(packet.pts_ns), packet.pts_ns
            if run.samples:
                self._sequence += 1
                done.append(Segment(self._head, fmp4.fragment(self._sequence, (run,)), True))
        self._sounds.add(packet)
        return done

    def _begin(self, audio: Audio, since_ns: int) -> None:
        if self._origin_ns is None:
            self._origin_ns = since_ns
        self._audio, self._since_ns = audio, since_ns
        self._head = Head(f'audio/mp4; codecs="{fmp4.codecs(None, audio)}"', fmp4.init_segment(None, audio))
        self._sounds.begin(audio, since_ns, self._origin_ns)
