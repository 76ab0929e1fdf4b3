"""Captions and chapters that a teacher puts beside a lesson."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from appliance import durable
from appliance.bus import CommandRefused
from appliance.messages import MarkLesson, PutTrack, RemoveTrack
from appliance.settings import Settings
from lessons.amendments import Amendments
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.journal import Track
from lessons.marks import Marks
from lessons.reader import UnknownLesson
from lessons.recorder import Recorder
from lessons.tracks import Tracks
from lessons.vtt import Cue, parse, words
from lessons.writer import Writer
from tests.lessons.media import film
from tests.lessons.room import AT, ID, metrics, read, record

CAPTIONS = "WEBVTT\n\nNOTE from another program\n\n1\n00:01.000 --> 00:02.000 align:start\n<v Prof>La <c.red>lave</c>\n"
CORRECTED = CAPTIONS.replace("lave", "coulée")
CHAPTERS = "WEBVTT\n\n00:00.000 --> 00:01.000\nDébut\n\n00:01.500 --> 00:04.000\nQ &amp; R <b>!</b>\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path)
    settings.lessons.mkdir()
    record(settings.lessons, film(4))
    return settings


@pytest.fixture
def amendments(settings: Settings) -> Amendments:
    recorder = Recorder(settings.bus, metrics(), Writer(lambda id: None), lambda event: None, lambda folder: None)
    return Amendments(recorder, Edits(settings.lessons), lambda id: None)


@pytest.fixture
def tracks(settings: Settings, amendments: Amendments) -> Tracks:
    return Tracks(settings.lessons, amendments, lambda: AT)


def captions(text: str, language: str = "fr") -> PutTrack:
    return PutTrack(ID, "captions", language, "français", text)


def files(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.lessons / ID).glob("captions-*"))


def test_captions_come_and_are_corrected_and_go(settings: Settings, tracks: Tracks) -> None:
    client = LessonsClient(settings)
    assert client.captions(ID) == []
    tracks.put(captions(CAPTIONS))
    tracks.put(captions(CAPTIONS))
    assert client.captions(ID) == [("fr", "français")]
    [first] = files(settings)
    assert parse(client.captions_vtt(ID, "fr").encode()) == [Cue(1000, 2000, "<v Prof>La lave</v>")]
    tracks.put(captions(CAPTIONS, "en"))
    tracks.put(captions(CORRECTED))
    assert "coulée" in client.captions_vtt(ID, "fr") and first not in files(settings)
    assert len(files(settings)) == 2
    tracks.remove(RemoveTrack(ID, "captions", "fr"))
    tracks.remove(RemoveTrack(ID, "captions", "fr"))
    assert client.captions(ID) == [("en", "français")] and len(files(settings)) == 1
    with pytest.raises(UnknownLesson):
        client.captions_vtt(ID, "fr")
    assert read(settings.lessons / ID).state == "ended"


def test_a_power_cut_leaves_the_old_captions_or_the_new(
    settings: Settings, tracks: Tracks, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks.put(captions(CAPTIONS))
    client = LessonsClient(settings)
    before = client.captions_vtt(ID, "fr")

    def full(self: durable.Appender, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(durable.Appender, "append", full)
        with pytest.raises(CommandRefused) as refused:
            tracks.put(captions(CORRECTED))
    assert (refused.value.kind, refused.value.detail) == ("unavailable", "disk_full")
    assert client.captions_vtt(ID, "fr") == before
    tracks.put(captions(CORRECTED))
    assert len(files(settings)) == 1


@pytest.mark.parametrize(
    ("command", "kind", "detail"),
    [
        (captions("nonsense"), "invalid", "line 1"),
        (captions("WEBVTT\n\n00:01.000 --> 00:00.500\nx\n"), "invalid", "line 3"),
        (captions(CAPTIONS, "../../x"), "invalid", "language"),
        (captions(CAPTIONS, "fr-"), "invalid", "language"),
        (PutTrack(ID, "captions", "fr", "", CAPTIONS), "invalid", "label"),
        (PutTrack(ID, "captions", "fr", "x" * 61, CAPTIONS), "invalid", "label"),
        (PutTrack("20990101-000000-0000", "captions", "fr", "x", CAPTIONS), "not_found", "no lesson"),
        (PutTrack(ID, "chapters", "fr", "x", CHAPTERS.replace("00:01.500", "00:03.999").replace("00:04", "00:09")
                  .replace("00:03.999", "00:08.000")), "invalid", "00:00:08.000"),
        (PutTrack(ID, "chapters", "fr", "x", f"WEBVTT\n\n00:00.000 --> 00:01.000\n{'x' * 201}\n"), "invalid", "200"),
    ],
)  # fmt: skip
def test_refusals(settings: Settings, tracks: Tracks, command: PutTrack, kind: str, detail: str) -> None:
    before = (settings.lessons / ID / "journal.jsonl").read_bytes()
    with pytest.raises(CommandRefused) as refused:
        tracks.put(command)
    assert refused.value.kind == kind and detail in refused.value.detail
    assert (settings.lessons / ID / "journal.jsonl").read_bytes() == before and files(settings) == []


def test_chapters_take_the_place_of_all_marks(settings: Settings, tracks: Tracks, amendments: Amendments) -> None:
    marks = Marks(amendments, lambda: AT)
    marks.mark(MarkLesson(ID, "0badcafe", "Vieux", 1.0))
    marks.mark(MarkLesson(ID, "0badf00d", "Début", 0.0))
    tracks.put(PutTrack(ID, "chapters", "fr", "x", CHAPTERS))
    client = LessonsClient(settings)
    found = client.chapters(ID)
    assert [(one.at_s, one.text) for one in found] == [(0.0, "Début"), (1.5, "Q & R !")]
    assert found[0].id == "0badf00d"  # what stays the same keeps its name, and its picture
    lines = (settings.lessons / ID / "journal.jsonl").read_bytes()
    tracks.put(PutTrack(ID, "chapters", "fr", "x", CHAPTERS))
    assert (settings.lessons / ID / "journal.jsonl").read_bytes() == lines
    written = client.chapters_vtt(ID, lambda chapter: "?")
    tracks.put(PutTrack(ID, "chapters", "fr", "x", written))
    assert (settings.lessons / ID / "journal.jsonl").read_bytes() == lines  # what is exported comes in the same
    tracks.remove(RemoveTrack(ID, "chapters", "fr"))
    assert client.chapters(ID) == []


def test_a_torn_journal_loses_no_captions(settings: Settings, tracks: Tracks) -> None:
    tracks.put(captions(CAPTIONS))
    with (settings.lessons / ID / "journal.jsonl").open("ab") as journal:
        journal.write(b"\0" * 100)
    recording = read(settings.lessons / ID)
    assert recording.tracks == {"fr": Track("captions", "fr", "français", files(settings)[0], AT)}


def test_words() -> None:
    assert words("<v Prof>La <b>lave</b></v> &amp;\nle feu &lt;b&gt;") == "La lave & le feu <b>"
