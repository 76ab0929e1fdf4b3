"""What people say of a lesson after it began, as the fold has it."""

from __future__ import annotations

from lessons.journal import Created, Described, Record, Sent, Stopped, TalkRecorded, Trimmed, Warned, encode, parse
from lessons.recording import About, Recording, fold

CREATED = Created("20261123-081502-4f2a", "Les volcans", "7Q2F", 1.5, "boot", 3301.5)


def told(*records: Record) -> Recording:
    recording = fold(parse(encode([CREATED, *records], 1)).records)
    assert recording
    return recording


def test_a_lesson_that_nobody_described_has_its_first_title_and_is_its_classs() -> None:
    assert told().about == About("Les volcans", "", "", "", "class", None)


def test_each_description_corrects_what_it_names_and_nothing_else() -> None:
    first = Described(2.0, subject="Géographie", group="5e B", teacher="Mme Roux")
    second = Described(3.0, title="Les séismes", teacher="", visibility="teacher", ends_at=99.5)
    recording = told(first, Stopped(2.5), second)
    assert recording.about == About("Les séismes", "Géographie", "5e B", "", "teacher", 99.5)
    assert recording.created.title == "Les volcans"


def test_the_last_trim_holds_and_can_be_undone() -> None:
    assert told(Trimmed(90_000, None, 2.0), Trimmed(90_000, 180_000, 3.0)).trim == (90_000, 180_000)
    assert told(Trimmed(90_000, 180_000, 2.0), Trimmed(None, None, 3.0)).trim == (None, None)


def test_uplinks_the_warning_and_the_switch_are_kept() -> None:
    again = Sent("nuage", "22" * 32, 5.0)
    recording = told(
        Sent("nuage", "11" * 32, 2.0), Sent("tube", "11" * 32, 3.0), again, Warned(6.0), TalkRecorded(on=True, wall=1.0)
    )
    assert recording.sent == {"nuage": again, "tube": Sent("tube", "11" * 32, 3.0)}
    assert (recording.warned_at, recording.records_talk) == (6.0, True)
    assert not told(TalkRecorded(on=True, wall=1.0), TalkRecorded(on=False, wall=2.0)).records_talk
