"""A running streaming service on a real bus, and aiortc clients that watch it over lo."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.messages import Packet
from appliance.service import Service
from appliance.settings import Settings
from streaming.client import StreamingClient
from streaming.server import Server
from tests.streaming import material


class Running:
    """The service object on a loop in its own thread."""

    def __init__(self, settings: Settings, name: str = "streaming") -> None:
        settings.bus.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.service = Service(name, settings)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.server: Server | None = None
        self.client = StreamingClient(settings)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.server = Server(self.service)
        await self.server.serve(self._ready.set)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(5)

    def stop(self) -> None:
        self.service.stopping.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.service.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, ice_interfaces=["lo"])


@pytest.fixture
def running(settings: Settings) -> Iterator[Running]:
    service = Running(settings)
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="session")
def video() -> list[Packet]:
    return material.video_packets(90)


@pytest.fixture(scope="session")
def audio() -> list[Packet]:
    return material.audio_packets(100)


@pytest.fixture
def capture(settings: Settings, video: list[Packet], audio: list[Packet]) -> Iterator[material.Capture]:
    source = material.Capture(settings, video, audio)
    source.start()
    yield source
    source.stop()
