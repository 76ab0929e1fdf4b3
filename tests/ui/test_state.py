"""The snapshot by table, the thread over a real bus, and what is pushed to whom."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Literal

import pytest

from appliance.bus import Publisher
from appliance.messages import CaptureState, DiskState, Event, Health, LessonState, SourceState, ViewersState
from appliance.settings import Settings
from tests.ui.conftest import Kit, make_kit
from tests.ui.doubles import MemoryLessons
from ui.context import KEY
from ui.push import messages
from ui.state import NOBODY, KitState, Snapshot
from ui.views import live_view


def lesson(
    state: Literal["live", "ended", "interrupted", "deleted"], id: str = "a", recorded_s: float = 0.0
) -> LessonState:
    return LessonState(id, "123456", "T", state, 1000.0, recorded_s, 0)


def viewers(service: str, *names: str) -> ViewersState:
    return ViewersState(len(names), 1, list(names), service, 9)


def health(service: str, started_ns: int = 1) -> Health:
    return Health(service, 1, started_ns, 0, b"")


@pytest.mark.parametrize(
    ("events", "changes"),
    [
        ([lesson("live")], {"lesson", "recorded"}),
        ([lesson("live"), lesson("live", recorded_s=1.0)], {"recorded"}),
        ([lesson("live"), lesson("ended")], {"lesson", "recorded"}),
        ([lesson("live"), lesson("ended"), lesson("live")], set()),
        ([lesson("live"), lesson("deleted", "b")], set()),
        ([lesson("ended", "b")], set()),
        ([health("streaming")], {"media"}),
        ([health("streaming"), health("streaming")], set()),
        ([health("streaming"), health("streaming", 2)], {"media"}),
        ([health("streaming"), health("streaming-2")], {"media"}),
        ([SourceState("screen", True), health("streaming-2")], {"media"}),
        ([SourceState("screen", True), health("streaming")], {"media", "sources"}),
        ([health("lessons")], set()),
        ([CaptureState("demo", "demo", True, True, -20.0)], {"level"}),
        ([DiskState(10**9, 80.9, 12e6)], {"disk"}),
        ([DiskState(10**9, 80.9, 12e6), DiskState(10**9 - 1, 80.1, 12e6)], set()),
        ([DiskState(10**9, 80.9, 12e6), DiskState(10**9, 79.9, 12e6)], {"disk"}),
        ([ViewersState(1, 0, ["A"])], {"viewers"}),
        ([ViewersState(1, 0, ["A"]), ViewersState(1, 0, ["A"])], set()),
        ([ViewersState(1, 0, ["A"]), ViewersState(1, 0, ["A"], sessions=2)], set()),
        ([ViewersState(1, 0, ["A"]), ViewersState(1, 0, ["A"], "streaming-2")], {"viewers"}),
        ([ViewersState(1, 0, ["A"]), ViewersState(0, 0, [], "streaming-2")], set()),
    ],
)
def test_the_last_event_changes(events: list[Event], changes: set[str]) -> None:
    snapshot = Snapshot()
    for event in events[:-1]:
        snapshot.apply(event, 0.0)
    assert snapshot.apply(events[-1], 0.0) == changes


def test_a_silent_service_is_down() -> None:
    snapshot = Snapshot(("streaming",))
    assert snapshot.tick(0.0) == {"services"}
    snapshot.apply(health("streaming"), 1.0)
    snapshot.apply(ViewersState(3, 0, ["A"]), 1.0)
    assert snapshot.tick(1.0) == {"services"} and snapshot.statuses(4.0)["streaming"].up
    assert snapshot.tick(4.0) == set()
    assert snapshot.tick(4.1) == {"services", "viewers"} and snapshot.viewers == NOBODY
    assert snapshot.expositions(4.1) == {}


def test_viewers_of_several_processes_are_summed() -> None:
    snapshot = Snapshot(("streaming", "streaming-2", "streaming-3"))
    snapshot.apply(viewers("streaming-2", "Noé", "Ada"), 0.0)
    snapshot.apply(viewers("streaming", "Léa"), 0.0)
    assert snapshot.viewers == ViewersState(3, 2, ["Ada", "Léa", "Noé"])
    snapshot.apply(viewers("streaming-2", "Noé"), 1.0)
    assert snapshot.viewers == ViewersState(2, 2, ["Léa", "Noé"])


def test_who_left_with_a_process_is_not_counted() -> None:
    snapshot = Snapshot(("streaming", "streaming-2"))
    for name in snapshot.services:
        snapshot.apply(health(name), 0.5)
        snapshot.apply(viewers(name, name), 0.6)
    snapshot.tick(0.6)
    # It was started again, and says so before it tells whom it serves; or after.
    assert snapshot.apply(health("streaming-2", 1_000_000_000), 1.1) == {"media", "viewers"}
    assert snapshot.viewers == ViewersState(1, 1, ["streaming"])
    snapshot.apply(viewers("streaming-2", "streaming-2"), 2.1)
    assert snapshot.apply(health("streaming-2", 2_000_000_000), 2.2) == {"media"}
    assert snapshot.viewers.pupils == 2
    # It was not started again.
    snapshot.apply(health("streaming"), 5.0)
    snapshot.apply(viewers("streaming", "streaming"), 5.0)
    assert snapshot.tick(5.3) == {"services", "viewers"}
    assert snapshot.viewers == ViewersState(1, 1, ["streaming"])
    assert not snapshot.statuses(5.3)["streaming-2"].up


def test_a_publisher_lives_with_the_first_process() -> None:
    snapshot = Snapshot(("streaming", "streaming-2"))
    for name in snapshot.services:
        snapshot.apply(health(name), 0.0)
    snapshot.apply(SourceState("screen", True), 0.0)
    snapshot.tick(0.0)
    snapshot.apply(health("streaming"), 3.0)
    assert snapshot.tick(3.1) == {"services"} and snapshot.sources == {"screen"}
    assert snapshot.tick(6.1) == {"services", "sources"} and snapshot.sources == frozenset()


def test_the_thread_reads_the_bus_and_knows_an_older_lesson(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    settings.bus.mkdir(parents=True)
    lessons = MemoryLessons(tmp_path)
    older = lessons.add("T", "live")
    state, stopping, ended = KitState(("capture", "lessons")), threading.Event(), threading.Event()
    seen: list[str | None] = []

    def remember(live: LessonState | None) -> None:
        seen.append(live.id if live else None)
        if live is None:
            ended.set()

    state.on_lesson_change(remember)
    thread = threading.Thread(target=state.run, args=(settings.bus, stopping, lessons))
    thread.start()
    publisher = Publisher(settings.bus, "lessons")
    try:
        # A subscription needs a moment to reach the publisher: services repeat themselves, and so does this.
        for _ in range(100):
            publisher.send(lesson("ended", older.id))
            if ended.wait(0.05):
                break
    finally:
        stopping.set()
        thread.join(5)
        publisher.close()
    assert seen == [older.id, None]


def test_names_and_levels_are_for_the_teacher(kit: Kit) -> None:
    context = kit.app.extensions[KEY]
    everything: Any = {"lesson", "viewers", "media", "level", "services", "disk"}
    pupil = dict(messages(context, everything, "pupil"))
    teacher = dict(messages(context, everything, "teacher"))
    assert pupil["viewers"] == {"count": 2} and pupil.keys() == {"lesson", "viewers", "media"}
    assert teacher["viewers"] == {"count": 2, "names": ["Léa", "Noé"]}
    assert teacher["level"]["level_dbfs"] == -23.5 and teacher["services"]["capture"]["up"]
    assert "disk" in teacher
    assert isinstance(pupil["media"]["streaming_started_ns"], int)


@pytest.mark.parametrize("role", ["teacher", "pupil"])
def test_a_page_hears_on_connecting_and_on_changes(kit: Kit, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.engine.welcome", lambda *_: True)  # the test client comes in behind the door
    socketio = kit.app.extensions["socketio"]
    token = kit.teacher_token() if role == "teacher" else kit.pupil_token()
    page = socketio.test_client(kit.app, auth={"token": token})
    assert {"lesson", "viewers", "media"} <= {message["name"] for message in page.get_received()}
    kit.state.note(lesson("live"))
    (heard,) = page.get_received()
    assert heard["name"] == "lesson" and heard["args"][0]["state"] == "live"
    kit.state.note(lesson("live", recorded_s=5.0))
    assert len(page.get_received()) == (1 if role == "teacher" else 0)
    page.disconnect()


def test_pages_hear_which_process_began_when(tmp_path: Path) -> None:
    kit = make_kit(tmp_path, processes=("streaming", "streaming-2"))
    context = kit.app.extensions[KEY]
    kit.state.note(health("streaming", 7))
    media = dict(messages(context, {"media"}, "pupil"))["media"]
    assert media == {"streaming_started_ns": 7, "processes_started_ns": [7, None]}
    kit.state.note(health("streaming-2", 8))
    media = dict(messages(context, {"media"}, "pupil"))["media"]
    assert media["processes_started_ns"] == [7, 8]


def test_events_are_handed_on() -> None:
    state, heard = KitState(), list[Event]()
    state.on_event(heard.append)
    state.note(viewers("streaming-2", "Ada"))
    assert heard == [viewers("streaming-2", "Ada")]


def test_a_page_without_a_token_is_refused(kit: Kit) -> None:
    socketio = kit.app.extensions["socketio"]
    assert not socketio.test_client(kit.app).is_connected()
    assert not socketio.test_client(kit.app, auth={"token": "x"}).is_connected()


def test_healthz_and_metrics(kit: Kit) -> None:
    client = kit.client()
    assert client.get("/healthz").get_json()["status"] == "ok"
    text = client.get("/metrics").text
    assert "preau_capture_x 0.0\n" in text and 'preau_up{service="streaming"} 1\n' in text
    kit.state.note(Health("streaming-2", 1, 1, 0, b"# HELP preau_streaming_x X.\npreau_streaming_x 9.0\n"))
    text = client.get("/metrics").text
    assert "preau_streaming_x 1.0\npreau_streaming_x 9.0\n" in text and text.count("# HELP preau_streaming_x ") == 1
    with_nobody = KitState()
    object.__setattr__(kit.app.extensions[KEY], "state", with_nobody)
    response = client.get("/healthz")
    assert response.status_code == 503 and response.get_json()["services"]["capture"]["up"] is False


def test_only_teachers_hear_how_the_recording_goes_and_no_wall_clock_counts() -> None:
    now = 50.0
    state = KitState(("lessons",), clock=lambda: now)
    state.note(LessonState("a", "123456", "T", "live", 1e12, 61.0, 9, "disk_slow", 65.0, 2.5, 1, 4000.0))
    now = 50.5
    told = live_view(state.lesson, state.lesson_age_s, recording=True)
    assert told is not None and told["elapsed_s"] == 65.5
    assert (told["incident"], told["lost_s"], told["gaps"], told["planned_end"]) == ("disk_slow", 2.5, 1, 4000.0)
    assert not {"incident", "lost_s", "gaps", "planned_end"} & (live_view(state.lesson, 0.0) or {}).keys()
