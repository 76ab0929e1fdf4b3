"""Pupils' voices in a recording: judged on the content of every file of the lesson and of every download."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import bus
from appliance.messages import Packet
from appliance.settings import Settings
from tests.judge import probe
from tests.kit import Kit, Problem, running_kit, wait_until
from tests.voice import decoded, heard, sound_of, speaking

SPOKEN = 200  # packets of 20 ms
LEAST_NEEDLE = 24  # bytes of a packet that nothing else holds by chance


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """A kit as it comes: voices are never recorded."""
    yield from running_kit(tmp_path_factory.mktemp("strict"))


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """The kit of a school that leaves it to the teacher."""
    yield from running_kit(tmp_path_factory.mktemp("lenient"), record_talk="true")


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


def switch(kit: Kit, lesson: str, *, record: bool) -> None:
    assert kit.api("PUT", f"lessons/{lesson}/talk", {"record": record}) == {"record": record}
    wait_until(lambda: kit.api("GET", "kit")["lesson"]["records_talk"] is record, 2, "the switch to be told")


def go_on(kit: Kit, lesson: str) -> None:
    """Until everything that came by now is recorded, if it is to be."""
    until = recorded_s(kit, lesson) + 1.5
    wait_until(lambda: recorded_s(kit, lesson) > until, 15, "the lesson to be recorded on")


def test_neither_the_school_nor_the_teacher_wants_voices(strict: Kit, tmp_path: Path) -> None:
    lesson = begin(strict)
    with speaking(strict):
        spoken = listen(strict, SPOKEN)
        go_on(strict, lesson)
        end(strict, lesson)
    assert_no_voice(strict, lesson, spoken, tmp_path)


def test_the_teacher_alone_cannot_have_them_recorded(strict: Kit, tmp_path: Path) -> None:
    lesson = begin(strict)
    with speaking(strict):
        with pytest.raises(Problem) as refused:
            strict.api("PUT", f"lessons/{lesson}/talk", {"record": True})
        assert refused.value.status == 409 and "does not allow" in refused.value.document["detail"]
        assert strict.api("GET", "kit")["lesson"]["records_talk"] is False
        spoken = listen(strict, SPOKEN)
        go_on(strict, lesson)
        end(strict, lesson)
    assert_no_voice(strict, lesson, spoken, tmp_path)


def test_the_schools_consent_alone_records_nothing(lenient: Kit, tmp_path: Path) -> None:
    lesson = begin(lenient)
    with speaking(lenient):
        spoken = listen(lenient, SPOKEN)
        go_on(lenient, lesson)
        end(lenient, lesson)
    assert_no_voice(lenient, lesson, spoken, tmp_path)


def test_with_both_they_are_recorded_where_they_were_spoken_and_nowhere_else(lenient: Kit, tmp_path: Path) -> None:
    lesson = begin(lenient)
    with speaking(lenient):
        listen(lenient, 50)
        before_s = recorded_s(lenient, lesson)
        switch(lenient, lesson, record=True)
        listen(lenient, SPOKEN)
        switch(lenient, lesson, record=False)
        until_s = recorded_s(lenient, lesson)
        go_on(lenient, lesson)
        end(lenient, lesson)
    folder = lenient.data / "lessons" / lesson
    for file in (folder / "part-0001.mp4", *downloads(lenient, lesson, tmp_path)):
        for samples, rate in sound_of(file):
            assert bool(heard(samples, rate)) is (file.name == "talk.mp4"), file
    timeline = json.loads(lenient.request("GET", f"/lessons/{lesson}/timeline.json")[1])
    (span,) = timeline["talk"]
    # What is durable is up to a second behind what is being said.
    assert before_s - 0.1 < span["start_s"] < before_s + 2.5
    assert 3.9 < span["duration_s"] < 6.5 and span["start_s"] + span["duration_s"] < until_s + 2.5
    for file in (folder / "talk-0001.mp4", tmp_path / "talk.mp4"):
        ((samples, rate),) = sound_of(file)
        times = heard(samples, rate)
        assert len(samples) / rate == pytest.approx(span["duration_s"], abs=0.1)
        # From its beginning to its end, but for what a decoder needs to get going.
        assert times[0] < 0.2 and times[-1] > span["duration_s"] - 0.3
        assert len(times) > 0.9 * (times[-1] - times[0]) * rate / 2048
    assert probe(tmp_path / "talk.mp4").duration_s == pytest.approx(span["start_s"] + span["duration_s"], abs=0.1)
    lenient.api("DELETE", f"lessons/{lesson}")


def test_a_recorder_that_dies_goes_on_with_the_voices_and_a_deleted_lesson_takes_them_along(lenient: Kit) -> None:
    lesson = begin(lenient)
    switch(lenient, lesson, record=True)
    with speaking(lenient):
        wait_until(lambda: talk(lenient, lesson), 15, "a voice to be recorded")
        lenient.kill_service("lessons")
        wait_until(lambda: len(talk(lenient, lesson)) == 2, 20, "the voice to be recorded again")
        spoken = listen(lenient, 50)
        end(lenient, lesson)
    first, second = talk(lenient, lesson)
    hole_s = second["start_s"] - first["start_s"] - first["duration_s"]
    assert -0.01 < hole_s < 6
    assert files_with(lenient, spoken)
    lenient.api("DELETE", f"lessons/{lesson}")
    remaining = [path for path in files_with(lenient, spoken) if lesson in str(path)]
    assert remaining == [] and not (lenient.data / "lessons" / lesson).exists()


def talk(kit: Kit, lesson: str) -> list[dict[str, float]]:
    """Where voices are recorded by now."""
    found: list[dict[str, float]] = json.loads(kit.request("GET", f"/lessons/{lesson}/timeline.json")[1])["talk"]
    return found
