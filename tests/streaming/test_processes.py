"""Two streaming processes that share the viewers of one lesson, on a real bus: the first here, the second by itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from appliance import bus
from appliance.bus import CommandRefused
from appliance.lifetime import EXIT_CONFIGURATION
from appliance.messages import Packet, Publish, RequestKeyframe, SourceState, ViewersState
from appliance.settings import Settings
from streaming.ingest.elsewhere import SILENT_NS, SourcesElsewhere
from streaming.metrics import Metrics
from tests.kit import wait_until
from tests.streaming.caster import Caster
from tests.streaming.conftest import Running
from tests.streaming.material import Capture
from tests.streaming.test_sessions import when_closed
from tests.streaming.watcher import Watcher

START_S = 15


class Second:
    """`python -m streaming 2`, and what it says of itself."""

    def __init__(self, settings: Settings) -> None:
        self._environ = {
            **os.environ,
            "PREAU_DATA_DIR": str(settings.data_dir),
            "PREAU_ICE_INTERFACES": "lo",
            "PREAU_STREAMING_PROCESSES": "2",
        }
        self._events = bus.Subscriber(settings.bus, ["streaming-2"], [bus.EVENT_TOPIC], queue=1000)
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "streaming", "2"], env=self._environ)
        self.hear(lambda state: state.sessions == 0)

    def hear(self, wanted: Callable[[ViewersState], bool]) -> ViewersState:
        """The next event about viewers that is wanted."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            state = self._events.receive(1)
            if isinstance(state, ViewersState) and wanted(state):
                return state
        raise AssertionError("the second process did not say so")

    def serves(self, sessions: int) -> None:
        """Wait until it says that it serves so many."""
        self.hear(lambda state: state.sessions == sessions)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self.kill()
        self._events.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, ice_interfaces=["lo"], streaming_processes=2)


@pytest.fixture
def second(running: Running, settings: Settings) -> Iterator[Second]:
    process = Second(settings)
    yield process
    process.stop()


def served(running: Running) -> list[str]:
    """Who has sessions of the first process."""
    assert running.server is not None
    return sorted(viewer.owner for viewer in running.server.fanout.viewers.values())


def shows(running: Running, source: str) -> bool:
    return running.server is not None and running.server.sources.live(source)


async def offer() -> str:
    watcher = Watcher()
    text = await watcher.offer()
    await watcher.close()
    return text


def test_viewers_are_shared_out_and_found_again(running: Running, second: Second, capture: Capture) -> None:
    client = running.client

    async def scenario() -> None:
        watchers = [Watcher() for _ in range(4)]
        replies = [await one.watch(client, viewer=f"v{number}") for number, one in enumerate(watchers)]
        assert [reply.session[:2] == "2." for reply in replies] == [False, True, False, True]
        assert served(running) == ["v0", "v2"]
        async with asyncio.timeout(10):
            for one in watchers:
                await one.receive("video", 5)
        await asyncio.to_thread(second.hear, lambda state: (state.pupils, state.sessions) == (2, 2))
        for number, reply in enumerate(replies):
            viewer = f"v{number}"
            quality = await asyncio.to_thread(client.quality, reply.session, viewer=viewer, choice="sound")
            assert quality.showing == "none"
            trickle = partial(client.patch, viewer=viewer, etag=reply.etag, fragment="a=mid:0\r\n", peer="127.0.0.1")
            assert await asyncio.to_thread(trickle, reply.session) is None
        for session, viewer in ((replies[1].session, "v0"), (replies[0].session, "v1"), ("3.abc", "v1")):
            with pytest.raises(CommandRefused) as refused:
                await asyncio.to_thread(client.close, session, viewer=viewer)
            assert refused.value.kind == "not_found"
        await asyncio.to_thread(client.close, replies[1].session, viewer="v1")
        await when_closed(watchers[1])
        assert served(running) == ["v0", "v2"]
        await asyncio.to_thread(client.close_viewers)
        for one in watchers:
            await when_closed(one)
            await one.close()

    asyncio.run(scenario())


def test_a_process_that_is_gone_refuses_nobody(running: Running, second: Second) -> None:
    client, text = running.client, asyncio.run(offer())

    def watch(viewer: str) -> str:
        return client.watch(viewer=viewer, name="Ada", role="pupil", offer=text, peer="127.0.0.1").session

    sessions = [watch("v0"), watch("v1")]
    second.serves(1)
    second.kill()
    began = time.monotonic()
    for viewer in ("v1", "v2", "v3"):
        assert "." not in watch(viewer)
    asks: list[Callable[..., object]] = [partial(client.quality, sessions[1]), partial(client.close, "2.nothing")]
    for ask in asks:
        with pytest.raises(CommandRefused) as refused:
            ask(viewer="v1")
        assert refused.value.kind == "not_found"
    client.close(sessions[1], viewer="v1")
    client.close_viewers()
    assert served(running) == []
    assert time.monotonic() - began < 4, "somebody waited for the dead one"
    second.start()
    client.close(sessions[1], viewer="v1")  # the next process never knew it
    for name in ("streaming", "streaming-2"):
        client.note(ViewersState(0, 0, [], name))
    assert ["." in watch(viewer) for viewer in ("w1", "w2")] == [False, True]


def test_a_screen_is_seen_through_the_second_process(
    running: Running, second: Second, capture: Capture, video: list[Packet]
) -> None:
    client = running.client

    async def scenario() -> None:
        camera = [Watcher(), Watcher()]
        for number, one in enumerate(camera):
            await one.watch(client, viewer=f"v{number}")
        caster = Caster({"video": video})
        await caster.publish(client)
        await asyncio.to_thread(wait_until, lambda: shows(running, "screen"), 5, "the screen")
        screen = [Watcher(("video",)), Watcher(("video",))]
        replies = [await one.watch(client, viewer=f"v{number}", source="screen") for number, one in enumerate(screen)]
        assert ["." in reply.session for reply in replies] == [False, True], "each beside its camera"
        async with asyncio.timeout(10):
            for one in screen:
                await one.receive("video", 10)
        await asyncio.to_thread(second.serves, 2)
        await caster.close()
        # The camera goes on, the screen is hung up on after its time.
        await asyncio.to_thread(second.serves, 1)
        async with asyncio.timeout(10):
            await camera[1].receive("video", 30)
        for one in (*camera, *screen):
            await one.close()

    asyncio.run(scenario())


def test_wishes_of_the_second_process_reach_the_publisher(
    running: Running, second: Second, video: list[Packet]
) -> None:
    async def scenario() -> None:
        caster = Caster({"video": video})
        await caster.publish(running.client)
        assert running.server is not None
        publisher = running.server.sources.publishers["screen"]
        await asyncio.to_thread(wait_until, lambda: publisher.live, 5, "the screen")
        asked, loop = asyncio.Event(), asyncio.get_running_loop()

        def note() -> None:  # whether it asks now is its own decision: a keyframe may be passing
            loop.call_soon_threadsafe(asked.set)

        publisher.want_keyframe = note  # type: ignore[method-assign]
        wish = RequestKeyframe("screen/main")
        await asyncio.to_thread(bus.call, running.settings.bus, "streaming-2", wish)
        async with asyncio.timeout(5):
            await asked.wait()
        await caster.close()

    asyncio.run(scenario())


def test_what_the_second_knows_nothing_of_yet_the_first_shows(
    running: Running, settings: Settings, video: list[Packet]
) -> None:
    """As after its restart, before the first process has spoken."""
    deaf = Running(settings, "streaming-2")
    deaf.start()
    assert deaf.server is not None
    setattr(deaf.server.sources, "heard", lambda state, now_ns: None)  # noqa: B010

    async def scenario() -> None:
        early, watcher, caster = Watcher(("video",)), Watcher(("video",)), Caster({"video": video})
        running.client.note(ViewersState(0, 0, [], "streaming", 5))
        with pytest.raises(CommandRefused) as refused:
            await early.watch(running.client, source="screen")
        assert refused.value.kind == "conflict"
        await caster.publish(running.client)
        await asyncio.to_thread(wait_until, lambda: shows(running, "screen"), 5, "the screen")
        running.client.note(ViewersState(0, 0, [], "streaming", 5))
        await watcher.watch(running.client, source="screen")
        assert served(running) == ["v1"]
        async with asyncio.timeout(10):
            await watcher.receive("video", 5)
        for one in (early, watcher, caster):
            await one.close()

    asyncio.run(scenario())
    deaf.stop()


def test_publishers_come_in_at_the_first(running: Running, second: Second) -> None:
    async def scenario() -> None:
        caster = Caster({"audio": []})
        text = await caster.offer()
        client = running.client
        publish = partial(client.publish, "talk", viewer="p1", name="Ada", offer=text, peer="127.0.0.1")
        session = (await asyncio.to_thread(publish)).session
        assert "." not in session
        with pytest.raises(CommandRefused) as refused:
            client._open(2, Publish("talk", "p1", "Ada", text, "127.0.0.1"))
        assert refused.value.kind == "invalid"
        await asyncio.to_thread(client.close, session, viewer="p1")
        await caster.close()

    asyncio.run(scenario())


def test_a_source_is_over_when_the_first_says_so_or_nothing_more() -> None:
    ended: list[tuple[str, int]] = []
    forwarded: list[str] = []
    sources = SourcesElsewhere(
        Metrics(CollectorRegistry()), forwarded.append, lambda source, now_ns: ended.append((source, now_ns))
    )
    sources.heard(SourceState("screen", live=False), 1)
    assert (ended, sources.live("screen")) == ([], False)
    sources.heard(SourceState("screen", live=True), 2)
    sources.heard(SourceState("screen", live=False), 3)
    assert (ended, sources.live("screen")) == ([("screen", 3)], False)
    sources.heard(SourceState("screen", live=True), 4)
    sources.tick(4 + SILENT_NS)
    assert sources.live("screen")
    sources.tick(5 + SILENT_NS)
    assert (ended[1:], sources.live("screen")) == ([("screen", 5 + SILENT_NS)], False)
    assert sources.want_keyframe("screen/main") and not sources.want_keyframe("camera/720p")
    assert forwarded == ["screen/main"]


@pytest.mark.parametrize("number", ["0", "3"])
def test_a_number_beyond_the_setting_is_refused(settings: Settings, number: str) -> None:
    environ = {**os.environ, "PREAU_DATA_DIR": str(settings.data_dir), "PREAU_STREAMING_PROCESSES": "2"}
    command = [sys.executable, "-m", "streaming", number]
    result = subprocess.run(command, env=environ, stderr=subprocess.PIPE, text=True, check=False, timeout=START_S)
    assert result.returncode == EXIT_CONFIGURATION
    assert "streaming_processes" in result.stderr
