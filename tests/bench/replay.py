"""From Stop to the replay, of lessons of 1, 10 and 180 minutes; what their recorder takes meanwhile.

    python -m tests.bench.replay [--minutes 1 10 180] [--repeats 2] [--seconds 30]

The lessons are made at speed from real packets and left live, as by loss of power (tests/lessons/long.py); then a kit
is started, which goes on with them. Of the time from the press of Stop the figure is the longest of `--repeats`, each
on the same lesson with a kit that has just started and makes the pictures for the seek bar of all that it had found:
until the playlist is complete and the bytes of its last segment have come over HTTP, and, of the longest lesson, until
Chromium, sent to the replay's page as soon as Stop is answered, shows the first picture. Processor time and memory are
of the recorder's own process while it records the longest lesson for `--seconds`; beside what it writes, what came to
it as packets.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from appliance import bus
from appliance.messages import CAMERA_720P, MICROPHONE_AAC, Packet
from appliance.settings import Settings
from lessons.journal import NAME
from tests.bench.receivers import conclude, cpu_s, rss_mib, say
from tests.browser import chromium, new_context, teacher_page
from tests.clockfilm import FILM
from tests.kit import Kit, wait_until
from tests.lessons.long import long_lesson

STARTED_S = 4.0  # after which a kit that has just begun is at rest
MINUTE_S = 60.0
FIRST_PICTURE = """() => new Promise(done => {
  const look = () => {
    const video = document.querySelector("video");
    if (video) video.requestVideoFrameCallback(() => done(true)); else requestAnimationFrame(look);
  };
  look();
})"""


class Kept:
    """A lesson as it was made: `restore` undoes what a kit has done to it since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._journal = (folder / NAME).read_bytes()
        self._sizes = {path.name: path.stat().st_size for path in folder.iterdir()}

    def restore(self) -> None:
        for path in self._folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in self._sizes:
                path.unlink()
        (self._folder / NAME).write_bytes(self._journal)
        assert {path.name: path.stat().st_size for path in self._folder.glob("part-*")} == {
            name: size for name, size in self._sizes.items() if name.startswith("part-")
        }


def last_segment(playlist: str) -> tuple[str, int, int]:
    """URI, offset and length of the last segment of a playlist."""
    length, offset, uri = re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\n(\S+)", playlist)[-1]
    return uri, int(offset), int(length)


def stop(kit: Kit, id: str) -> float:
    """Stop the lesson and fetch its playlist and the end of it; returns the seconds that this took."""
    pressed_s = time.monotonic()
    kit.api("POST", f"lessons/{id}/stop")
    playlist = kit.request("GET", f"/lessons/{id}/index.m3u8")[1].decode()
    assert playlist.endswith("#EXT-X-ENDLIST\n")
    uri, offset, length = last_segment(playlist)
    segment = kit.request("GET", f"/lessons/{id}/{uri}", Range=f"bytes={offset}-{offset + length - 1}")[1]
    took_s = time.monotonic() - pressed_s
    assert len(segment) == length
    return took_s


def stop_in_browser(kit: Kit, browser: Browser, id: str) -> float:
    """Stop the lesson and look at it, in a browser that has not seen the page before; returns the seconds until its
    first picture is shown."""
    context = new_context(browser)
    teacher_page(context, kit).close()  # which leaves a cookie, and no live picture that would be decoded meanwhile
    page = context.new_page()
    pressed_s = time.monotonic()
    kit.api("POST", f"lessons/{id}/stop")
    page.goto(f"{kit.url}/lessons/{id}", wait_until="commit")
    assert page.evaluate(FIRST_PICTURE)
    took_s = time.monotonic() - pressed_s
    context.close()
    return took_s


class Stream:
    """Counts what the recorder is sent, on a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.bytes = 0
        self._folder = folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        topics = [bus.media_topic(track) for track in (CAMERA_720P, MICROPHONE_AAC)]
        subscriber = bus.Subscriber(self._folder, ["capture"], topics, queue=3000)
        while not self._stopping.is_set():
            message = subscriber.receive(0.05)
            if isinstance(message, Packet):
                self.bytes += len(message.data)
        subscriber.close()


def cost(kit: Kit, folder: Path, seconds: float) -> dict[str, float]:
    """What the recorder takes and writes while it records the lesson in `folder`."""

    def sizes() -> tuple[int, int]:
        return (folder / NAME).stat().st_size, sum(path.stat().st_size for path in folder.glob("part-*.mp4"))

    recorder = kit.service("lessons").pid
    with Stream(Settings(data_dir=kit.data).bus) as stream:
        time.sleep(1.0)
        begun_s, used_s, (lines, media), came = time.monotonic(), cpu_s(recorder), sizes(), stream.bytes
        time.sleep(seconds)
        took_s = time.monotonic() - begun_s
        used_s, (more_lines, more_media), came = cpu_s(recorder) - used_s, sizes(), stream.bytes - came
    lines, media = more_lines - lines, more_media - media
    per_minute = MINUTE_S / took_s
    return {
        "recorder_cores": round(used_s / took_s, 4),
        "recorder_rss_mib": round(rss_mib(recorder), 1),
        "bytes_per_minute": round((media + lines) * per_minute),
        "stream_bytes_per_minute": round(came * per_minute),
        "journal_bytes_per_minute": round(lines * per_minute),
    }


@contextmanager
def kit_that_goes_on(data: Path, id: str) -> Iterator[Kit]:
    """A kit that has found the lesson and goes on with it."""
    with Kit(data, camera=f"file:{FILM}", microphone="demo") as kit:
        found_s = kit.api("GET", f"lessons/{id}")["duration_s"]
        wait_until(lambda: kit.api("GET", f"lessons/{id}")["duration_s"] > found_s, 20, "the lesson to go on")
        time.sleep(STARTED_S)
        yield kit


def measure(data: Path, minutes: int, repeats: int, seconds: float, browser: Browser | None) -> dict[str, float]:
    """One length's figures; with a `browser` also those that only the longest has."""
    id = long_lesson(data / "lessons", minutes, FILM)
    folder = data / "lessons" / id
    kept = Kept(folder)
    figures: dict[str, float] = {}
    times_s: list[float] = []
    for _ in range(repeats):
        with kit_that_goes_on(data, id) as kit:
            if browser and not times_s:
                figures |= cost(kit, folder, seconds)
            times_s.append(stop(kit, id))
        kept.restore()
    figures[f"stop_to_replay_s_{minutes}min"] = round(max(times_s), 3)
    say(f"{minutes:4} min, {(folder / NAME).stat().st_size / 1e6:6.2f} MB of journal: from Stop to the end's bytes "
        f"{'  '.join(f'{took_s:.3f}' for took_s in times_s)} s")  # fmt: skip
    if browser:
        shown_s = []
        for _ in range(repeats):
            with kit_that_goes_on(data, id) as kit:
                shown_s.append(stop_in_browser(kit, browser, id))
            kept.restore()
        figures[f"browser_s_{minutes}min"] = round(max(shown_s), 3)
        say(f"{minutes:4} min: from Stop to a picture in Chromium {'  '.join(f'{one:.3f}' for one in shown_s)} s")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="From Stop to the replay.")
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 180])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="preau-bench-") as name, chromium() as browser:
        for minutes in sorted(options.minutes):
            data = Path(name) / str(minutes)
            (data / "lessons").mkdir(parents=True)
            longest = browser if minutes == max(options.minutes) else None
            figures |= measure(data, minutes, options.repeats, options.seconds, longest)
            shutil.rmtree(data)
    conclude("replay", figures)


if __name__ == "__main__":
    main()
