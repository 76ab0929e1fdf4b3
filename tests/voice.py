"""A pupil's voice for tests: a pure tone that a publisher sends as `talk` by WHIP, and an ear that finds it again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from appliance.messages import AudioFormat, Packet
from tests.kit import Kit
from tests.streaming.caster import Caster

TONE_HZ = 3100
RATE = 48_000
OPUS_NS = 20_000_000
WINDOW = 4096
NEIGHBOURS_HZ = 60, 500  # how far from the tone the floor is measured
PROMINENT_DB = 20.0
LEAST_DBFS = -60.0

Samples = NDArray[np.float64]


def voice(seconds: int = 1, tone_hz: float = TONE_HZ) -> list[Packet]:
    """The tone in Opus, at -6 dBFS; whole periods a second, so that it may be played again and again."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, "mono", "flt", 64_000
    encoder.open()
    data = []
    for number in range(seconds * 50):
        wave = np.sin((np.arange(960) + number * 960) / RATE * tone_hz * 2 * np.pi) * 0.5
        frame = av.AudioFrame.from_ndarray(wave[np.newaxis, :].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate, frame.pts = RATE, number * 960
        data += [bytes(one) for one in encoder.encode(frame)]
    return [
        Packet("talk", "opus", "opus", 1, number, number * OPUS_NS, OPUS_NS, True, AudioFormat(RATE, 1), one)
        for number, one in enumerate(data)
    ]


@contextmanager
def speaking(kit: Kit) -> Iterator[None]:
    """A publisher that speaks until the end of the block."""
    ready, done, failed = threading.Event(), threading.Event(), list[BaseException]()

    def publish(source: str, *, viewer: str, name: str, offer: str, peer: str) -> Any:
        answer = kit.request("POST", f"/whip/{source}", offer.encode(), Content_Type="application/sdp")[1]
        return SimpleNamespace(answer=answer.decode())

    async def speak() -> None:
        caster = Caster({"audio": voice()})
        await caster.publish(SimpleNamespace(publish=publish), source="talk")
        ready.set()
        await asyncio.to_thread(done.wait)
        await caster.close()

    def run() -> None:
        try:
            asyncio.run(speak())
        except BaseException as error:
            failed.append(error)
            ready.set()
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(20) and not failed
        yield
    finally:
        done.set()
        thread.join()


def samples_of(frames: Iterable[Any]) -> tuple[Samples, int]:
    """Decoded sound as one channel, and its rate."""
    blocks, rate = [], RATE
    for frame in frames:
        found = frame.to_ndarray()
        scale = 1.0 if found.dtype.kind == "f" else 1 / 32768
        channels = len(frame.layout.channels)
        shaped = found if frame.format.is_planar else found.reshape(-1, channels).T
        blocks.append(shaped.astype(np.float64).mean(axis=0) * scale)
        rate = frame.sample_rate
    return (np.concatenate(blocks) if blocks else np.zeros(0)), rate


def sound_of(file: Path) -> list[tuple[Samples, int]]:
    """Every track of sound in a file; none when it is no file of media."""
    try:
        with av.open(str(file)) as container:
            count = len(container.streams.audio)
    except av.FFmpegError:
        return []
    tracks = []
    for number in range(count):
        with av.open(str(file)) as container:
            tracks.append(samples_of(container.decode(container.streams.audio[number])))
    return tracks


def decoded(packets: Iterable[Packet]) -> tuple[Samples, int]:
    """What packets of Opus sound like."""
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = RATE, "mono"
    return samples_of(frame for one in packets for frame in decoder.decode(av.Packet(one.data)))


def heard(samples: Samples, rate: int, tone_hz: float = TONE_HZ) -> list[float]:
    """When (s) the tone stands out of the floor: the beginnings of the windows of `WINDOW` samples in which it is above
    LEAST_DBFS, and above what is beside it in the spectrum by PROMINENT_DB."""
    times = []
    hertz = np.fft.rfftfreq(WINDOW, 1 / rate)
    window = np.hanning(WINDOW)
    away = np.abs(hertz - tone_hz)
    for start in range(0, len(samples) - WINDOW + 1, WINDOW // 2):
        power = np.abs(np.fft.rfft(samples[start : start + WINDOW] * window)) / window.sum() * 2
        level = 20 * np.log10(power[away < NEIGHBOURS_HZ[0]].max() + 1e-9)
        floor = 20 * np.log10(np.median(power[(away > NEIGHBOURS_HZ[0]) & (away < NEIGHBOURS_HZ[1])]) + 1e-9)
        if level > LEAST_DBFS and level - floor > PROMINENT_DB:
            times.append(start / rate)
    return times
