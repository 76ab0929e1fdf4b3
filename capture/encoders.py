"""The encoders: I420 pictures to H.264, samples to Opus and AAC. Each object belongs to one thread.

Uses PyAV (libx264, libopus, FFmpeg's AAC). No I/O, no clock: a frame brings its time.
"""

from __future__ import annotations

import secrets
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import Interpolation, VideoReformatter

from appliance.messages import AudioFormat, Packet, VideoFormat, track_name
from capture.frames import FRAME_NS, FRAME_RATE, SAMPLE_RATE, RawFrame, Samples
from capture.rungs import Rung

VIDEO_TICKS = 90_000
OPUS_SAMPLES = 480  # 10 ms: a browser buffers two packets and delays the picture to match its sound
OPUS_LOOK_AHEAD = 312  # 6.5 ms (opus_encoder_ctl(3), OPUS_GET_LOOKAHEAD)
AAC_SAMPLES = 1024
OPUS_EXPECTED_LOSS_PERCENT = 10
OPUS_BITRATE, AAC_BITRATE = 32_000, 64_000  # bits per second, mono


def new_epoch() -> int:
    """Names one run of the encoders; differs from every other with near certainty."""
    return secrets.randbits(62)


def video_frame(frame: RawFrame) -> av.VideoFrame:
    """The picture as the encoders and the scaler take it; made once for all of them."""
    return av.VideoFrame.from_ndarray(frame.picture, format="yuv420p")


class VideoEncoder:
    """Constrained baseline H.264 without delay: one picture in, one Annex B access unit out, IDRs with SPS and PPS.

    A picture of another size than the rung's is scaled.
    """

    def __init__(self, epoch: int, rung: Rung) -> None:
        self._epoch = epoch
        self._seq = 0
        self._rung = rung
        self._format = VideoFormat(rung.width, rung.height)
        self._scaler = VideoReformatter()
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = rung.width, rung.height, "yuv420p"
        context.time_base = Fraction(1, VIDEO_TICKS)
        context.framerate = Fraction(FRAME_RATE)
        context.bit_rate = rung.bitrate
        context.thread_count = 1
        context.options = {
            "preset": rung.preset,
            "tune": "zerolatency",
            "profile": "baseline",
            "level": rung.level,
            "forced-idr": "1",
            # Half a second of buffer bounds what one keyframe may cost a weak line.
            "x264-params": f"keyint=infinite:scenecut=0:repeat-headers=1:sliced-threads=0:"
            f"vbv-maxrate={rung.bitrate // 1000}:vbv-bufsize={rung.bitrate // 2000}",
        }
        self._context = context

    def encode(self, picture: av.VideoFrame, pts_ns: int, keyframe: bool) -> list[Packet]:
        """Encode one picture; as an IDR when `keyframe`."""
        if picture.width != self._rung.width or picture.height != self._rung.height:
            # One thread: on a small machine waking others costs more than they save at this size.
            picture = self._scaler.reformat(
                picture, self._rung.width, self._rung.height, interpolation=Interpolation.FAST_BILINEAR, threads=1
            )
        picture.pts = pts_ns * VIDEO_TICKS // 1_000_000_000
        picture.time_base = Fraction(1, VIDEO_TICKS)
        picture.pict_type = PictureType.I if keyframe else PictureType.NONE
        return [self._pack(pts_ns, encoded) for encoded in self._context.encode(picture)]

    def _pack(self, pts_ns: int, encoded: av.Packet[Any]) -> Packet:
        packet = Packet(
            source="camera",
            rung=self._rung.name,
            codec="h264",
            epoch=self._epoch,
            seq=self._seq,
            pts_ns=pts_ns,
            duration_ns=FRAME_NS,
            keyframe=bool(encoded.is_keyframe),
            format=self._format,
            data=bytes(encoded),
        )
        self._seq += 1
        return packet


class AudioEncoder:
    """Opus or AAC from an unbroken run of mono samples; the time of a packet follows from the samples before it."""

    def __init__(self, codec: str, epoch: int) -> None:
        self._epoch = epoch
        self._seq = 0
        self._start_ns: int | None = None
        self._samples = 0
        self._opus = codec == "opus"
        self.track = track_name("microphone", codec)
        self._frame = OPUS_SAMPLES if self._opus else AAC_SAMPLES
        self._held = np.empty(0, np.int16)
        context = av.CodecContext.create("libopus" if self._opus else "aac", "w")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate, context.layout = SAMPLE_RATE, "mono"
        context.format = av.AudioFormat("s16" if self._opus else "fltp")
        context.bit_rate = OPUS_BITRATE if self._opus else AAC_BITRATE
        context.time_base = Fraction(1, SAMPLE_RATE)
        if self._opus:
            # Speech holds a coarse copy of the packet before (RFC 6716 section 2.1.7), for a receiver that lost it.
            context.options = {
                "application": "audio",
                "frame_duration": "10",
                "vbr": "constrained",
                "fec": "1",
                "packet_loss": str(OPUS_EXPECTED_LOSS_PERCENT),
            }
        context.open()
        self._context = context
        self._format = AudioFormat(SAMPLE_RATE, 1, b"" if self._opus else bytes(context.extradata or b""))

    def encode(self, samples: Samples, pts_ns: int) -> list[Packet]:
        """Take more samples (int16, shape (n,)); the first call's `pts_ns` is the time of sample 0."""
        if self._start_ns is None:
            self._start_ns = pts_ns
        self._held = np.concatenate((self._held, samples))
        packets: list[Packet] = []
        while len(self._held) >= self._frame:
            block, self._held = self._held[: self._frame], self._held[self._frame :]
            packets += [self._pack(encoded) for encoded in self._context.encode(self._to_frame(block))]
        return packets

    def _to_frame(self, block: Samples) -> av.AudioFrame:
        if self._opus:
            frame = av.AudioFrame.from_ndarray(block[None, :], format="s16", layout="mono")
        else:
            planar = (block.astype(np.float32) / 32768)[None, :]
            frame = av.AudioFrame.from_ndarray(planar, format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._samples
        frame.time_base = Fraction(1, SAMPLE_RATE)
        self._samples += self._frame
        return frame

    def _pack(self, encoded: av.Packet[Any]) -> Packet:
        assert self._start_ns is not None
        # The codec's look-ahead shows as a negative first pts: what it decodes to lies that much earlier. RTP names the
        # first sample that was encoded instead (RFC 7587 section 4.1); told of the 6.5 ms, which nobody hears, browsers
        # would hold the picture back.
        pts = (encoded.pts or 0) + (OPUS_LOOK_AHEAD if self._opus else 0)
        packet = Packet(
            source="microphone",
            rung="opus" if self._opus else "aac",
            codec="opus" if self._opus else "aac",
            epoch=self._epoch,
            seq=self._seq,
            pts_ns=self._start_ns + pts * 1_000_000_000 // SAMPLE_RATE,
            duration_ns=self._frame * 1_000_000_000 // SAMPLE_RATE,
            keyframe=True,
            format=self._format,
            data=bytes(encoded),
        )
        self._seq += 1
        return packet
