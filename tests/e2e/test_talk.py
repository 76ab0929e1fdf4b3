"""Pupils' voices in a recording: judged on the content of every file of the lesson and of every download."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import bus
from appliance.messages import Packet
from appliance.settings import Settings
from tests.kit import Kit, running_kit, wait_until
from tests.voice import decoded, heard, sound_of, speaking

SPOKEN = 200  # packets of 20 ms
LEAST_NEEDLE = 24  # bytes of a packet that nothing else holds by chance


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


def listen(kit: Kit, count: int) -> list[Packet]:
    """What the publisher's voice is on the bus."""
    subscriber = bus.Subscriber(
        Settings(data_dir=kit.data).bus, ["streaming"], [bus.media_topic("talk/opus")], queue=1000
    )
    try:
        packets = list[Packet]()
        while len(packets) < count:
            message = subscriber.receive(10)
            assert isinstance(message, Packet), "no voice on the bus"
            packets.append(message)
        return packets
    finally:
        subscriber.close()


def recorded_s(kit: Kit, lesson: str) -> float:
    return float(kit.api("GET", f"lessons/{lesson}")["duration_s"])


def begin(kit: Kit) -> str:
    """A lesson of which something is recorded."""
    lesson = str(kit.api("POST", "lessons", {"title": "Les volcans"})["id"])
    wait_until(lambda: recorded_s(kit, lesson) > 1, 15, "a second of the lesson")
    return lesson


def end(kit: Kit, lesson: str) -> None:
    kit.api("POST", f"lessons/{lesson}/stop")


def downloads(kit: Kit, lesson: str, folder: Path) -> list[Path]:
    """Whatever the lesson's page offers, and what the API names."""
    page = kit.request("GET", f"/lessons/{lesson}", Cookie=f"preau_teacher={kit.token}")[1].decode()
    links = set(re.findall(r'href="([^"]+)" download', page)) | {kit.api("GET", f"lessons/{lesson}")["download"]}
    assert f"/lessons/{lesson}/lesson.mp4" in links
    files = []
    for link in sorted(links):
        file = folder / link.rpartition("/")[2]
        file.write_bytes(kit.request("GET", link)[1])
        files.append(file)
    return files


def assert_no_voice(kit: Kit, lesson: str, spoken: list[Packet], folder: Path) -> None:
    """Neither to be heard in any track of sound, nor as bytes in any file of the kit."""
    assert len(heard(*decoded(spoken))) > 0.9 * len(spoken) * 960 / 2048 - 2, "the voice itself is to be heard"
    files = [path for path in (kit.data / "lessons" / lesson).rglob("*") if path.is_file()]
    tracks = 0
    for file in (*files, *downloads(kit, lesson, folder)):
        for samples, rate in sound_of(file):
            tracks += 1
            assert len(samples) > rate and heard(samples, rate) == [], file
    assert tracks >= 2, "the lesson's own sound is there"
    assert files_with(kit, spoken) == []


def files_with(kit: Kit, spoken: list[Packet]) -> list[Path]:
    """The files of the kit that hold a packet of the voice."""
    needles = {one.data for one in spoken if len(one.data) >= LEAST_NEEDLE}
    assert needles
    found = []
    for path in kit.data.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if any(needle in data for needle in needles):
                found.append(path)
    return found


def test_a_voice_does_not_enter_the_recording(kit: Kit, tmp_path: Path) -> None:
    lesson = begin(kit)
    with speaking(kit):
        spoken = listen(kit, SPOKEN)
        until = recorded_s(kit, lesson) + 1
        wait_until(lambda: recorded_s(kit, lesson) > until, 15, "the lesson to be recorded on")
        end(kit, lesson)
    assert_no_voice(kit, lesson, spoken, tmp_path)
