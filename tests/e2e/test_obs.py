"""OBS Studio's own WebRTC engine publishes a screen: pupils see and hear it, the lesson records it.

libdatachannel, in the package that tests/obs.lock names; `make test` fetches it where Node and npm are at hand.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import BrowserContext

from capture.demo import TONE_HZ, DemoPicture, tone
from tests.browser import (
    clap_offset_ms,
    clock_advances,
    pupil_page,
    start_lesson,
    stop_lesson,
    teacher_page,
    tone_db,
    wait_page,
)
from tests.judge import probe, recorded_claps_ms
from tests.kit import Kit, running_kit, wait_until

ENGINE = Path(__file__).parents[2] / "build/libdatachannel.node"
PROGRAM = Path(__file__).parents[1] / "obs.cjs"
SECOND = 1_000_000_000
LENGTH_S = 8  # OBS's usual distance between keyframes is 250 frames
WIDTH, HEIGHT = 1280, 720
AUDIBLE_DB = 20
RECORDED_S = 10.0

pytestmark = pytest.mark.skipif(
    not ENGINE.exists() or not shutil.which("node"), reason=f"needs Node, npm, and {ENGINE.name}: make engine"
)


def pictures() -> list[bytes]:
    """The demo source as OBS encodes it: x264's High profile, 30 frames a second, one keyframe."""
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, 30), Fraction(30), 2_500_000
    encoder.options = {
        "preset": "veryfast",
        "profile": "high",
        "x264-params": "keyint=250:scenecut=0:bframes=0:repeat-headers=1:annexb=1:vbv-maxrate=2500:vbv-bufsize=2500",
    }
    demo, packets = DemoPicture("OBS"), []
    for number in range(LENGTH_S * 30):
        frame = av.VideoFrame.from_ndarray(demo.draw(number * SECOND // 30), format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    assert [packet.is_keyframe for packet in packets] == [True] + [False] * (LENGTH_S * 30 - 1)
    return [bytes(packet) for packet in packets]


def sounds() -> list[bytes]:
    """The demo's claps in stereo, 160 kb/s as OBS has them."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48_000, "stereo", "s16", 160_000
    packets = []
    for number in range(LENGTH_S * 50):
        samples = np.repeat(tone(number * SECOND // 50, 960), 2)[np.newaxis, :]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, number * 960
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in packets]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def told(frames: list[bytes], rate: int) -> dict[str, object]:
        return {"duration_us": 1_000_000 / rate, "frames": [base64.b64encode(frame).decode() for frame in frames]}

    file = tmp_path_factory.mktemp("obs") / "media.json"
    file.write_text(json.dumps({"video": told(pictures(), 30), "audio": told(sounds(), 50)}))
    return file


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


class Obs:
    """The program while it publishes; what it says comes in order."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def says(self, what: str) -> dict[str, Any]:
        assert self._process.stdout
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert said["what"] == what, said
        return said

    def stop(self) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.close()
        return self.says("deleted")


@contextmanager
def obs(endpoint: str, token: str, media: Path) -> Iterator[Obs]:
    command = ["node", str(PROGRAM), str(ENGINE), endpoint, token, str(media)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Obs(process)
        finally:
            process.kill()


@pytest.mark.alone
def test_obs_publishes_a_screen(
    kit: Kit, context: BrowserContext, media: Path, state: Callable[[str], None], tmp_path: Path
) -> None:
    teacher = teacher_page(context, kit)
    start_lesson(teacher)
    lesson = kit.api("GET", "lessons")["lessons"][0]["id"]
    code = kit.api("GET", "kit")["join"]["code"]
    pupil = pupil_page(context, kit, code, "Zoé")
    endpoint, token = (
        str(teacher.evaluate(f"document.getElementById('{id}').value")) for id in ("whip-address", "whip-token")
    )
    with obs(endpoint, token, media) as publisher:
        publisher.says("offer")
        answer = publisher.says("answer")
        assert answer["status"] == 201, answer
        publisher.says("connected")
        wait_page(pupil, "document.body.hasAttribute('data-shared')")
        pupil.evaluate("preauProbe.look('shared')")
        wait_until(lambda: clock_advances(pupil), 10, "OBS's picture to move")
        assert tone_db(pupil, TONE_HZ) > AUDIBLE_DB
        live_ms = clap_offset_ms(pupil)
        with obs(endpoint, token, media) as second:
            second.says("offer")
            assert second.says("answer")["status"] == 409
        # No wish for a keyframe is heard: who comes now waits for the next.
        latecomer = pupil_page(context, kit, code, "Inès")
        wait_page(latecomer, "document.body.hasAttribute('data-shared')", LENGTH_S + 7)
        wait_until(lambda: recorded_s(kit, lesson) > RECORDED_S, 30, "some seconds of the screen")
        assert publisher.stop()["status"] == 200
    for page in (pupil, latecomer):
        wait_page(page, "!document.body.hasAttribute('data-shared')")
    stop_lesson(teacher)
    file = tmp_path / "screen.mp4"
    file.write_bytes(kit.request("GET", f"/lessons/{lesson}/screen.mp4")[1])
    verdict = probe(file)
    assert verdict.complaints == "" and verdict.video_frames > 29 * RECORDED_S
    recorded_ms = float(np.median(recorded_claps_ms(file)))
    state(f"OBS's engine: sound {live_ms:+.0f} ms against the picture live, {recorded_ms:+.0f} ms recorded")
    assert abs(recorded_ms) < 60


def recorded_s(kit: Kit, lesson: str) -> float:
    """How much of the screen is durable."""
    screen = kit.api("GET", f"lessons/{lesson}")["screen"]
    return float(screen["duration_s"]) if screen else 0.0
