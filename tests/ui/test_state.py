"""The snapshot by table, the thread over a real bus, and what is pushed to whom."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Literal

import pytest

from appliance.bus import Publisher
from appliance.messages import CaptureState, Event, Health, LessonState, ViewersState
from appliance.settings import Settings
from tests.ui.conftest import Kit
from tests.ui.doubles import MemoryLessons
from ui.context import KEY
from ui.push import messages
from ui.state import NOBODY, KitState, Snapshot


def lesson(
    state: Literal["live", "ended", "interrupted", "deleted"], id: str = "a", recorded_s: float = 0.0
) -> LessonState:
    return LessonState(id, "123456", "T", state, 1000.0, recorded_s, 0)


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
        ([health("lessons")], set()),
        ([CaptureState("demo", "demo", True, True, -20.0)], {"level"}),
        ([ViewersState(1, 0, ["A"])], {"viewers"}),
        ([ViewersState(1, 0, ["A"]), ViewersState(1, 0, ["A"])], set()),
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
    everything: Any = {"lesson", "viewers", "media", "level", "services"}
    pupil = dict(messages(context, everything, "pupil"))
    teacher = dict(messages(context, everything, "teacher"))
    assert pupil["viewers"] == {"count": 2} and pupil.keys() == {"lesson", "viewers", "media"}
    assert teacher["viewers"] == {"count": 2, "names": ["Léa", "Noé"]}
    assert teacher["level"]["level_dbfs"] == -23.5 and teacher["services"]["capture"]["up"]
    assert isinstance(pupil["media"]["streaming_started_ns"], int)


@pytest.mark.parametrize("role", ["teacher", "pupil"])
def test_a_page_hears_on_connecting_and_on_changes(kit: Kit, role: str) -> None:
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


def test_a_page_without_a_token_is_refused(kit: Kit) -> None:
    socketio = kit.app.extensions["socketio"]
    assert not socketio.test_client(kit.app).is_connected()
    assert not socketio.test_client(kit.app, auth={"token": "x"}).is_connected()


def test_healthz_and_metrics(kit: Kit) -> None:
    client = kit.client()
    assert client.get("/healthz").get_json()["status"] == "ok"
    text = client.get("/metrics").text
    assert "preau_capture_x 0.0\n" in text and 'preau_up{service="streaming"} 1\n' in text
    with_nobody = KitState()
    object.__setattr__(kit.app.extensions[KEY], "state", with_nobody)
    response = client.get("/healthz")
    assert response.status_code == 503 and response.get_json()["services"]["capture"]["up"] is False
