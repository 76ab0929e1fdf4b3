"""A kit with doubles for its services, and clients of its web application."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from appliance.messages import CaptureState, Health, ViewersState
from appliance.secrets import Secrets
from appliance.settings import Settings
from tests.ui.doubles import MemoryCapture, MemoryLessons, MemoryStreaming
from ui.app import create_app
from ui.ports import Lessons
from ui.state import SERVICES, KitState

PIN = "271828"
CODE = "123456"
SECRETS = Secrets(PIN, CODE, "0f" * 32)


@dataclass
class Kit:
    app: Flask
    lessons: MemoryLessons
    streaming: MemoryStreaming
    capture: MemoryCapture
    state: KitState

    def client(self, address: str = "127.0.0.1") -> FlaskClient:
        client = self.app.test_client()
        client.environ_base["REMOTE_ADDR"] = address
        return client

    def teacher_token(self) -> str:
        return str(self.client().post("/api/v1/session", json={"pin": PIN}).get_json()["token"])

    def pupil_token(self, name: str = "Léa") -> str:
        return str(self.client().post("/api/v1/join", json={"code": CODE, "name": name}).get_json()["token"])

    def teacher(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.teacher_token()}"}

    def pupil(self, name: str = "Léa") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.pupil_token(name)}"}


def report_all(state: KitState) -> None:
    """Every service says that it is alive, as it does once a second."""
    for number, name in enumerate(SERVICES):
        text = f"# HELP preau_{name}_x X.\n# TYPE preau_{name}_x gauge\npreau_{name}_x {number}.0\n"
        state.note(Health(name, 100 + number, time.monotonic_ns(), number, text.encode()))
    state.note(CaptureState("demo", "demo", True, True, -23.5))
    state.note(ViewersState(2, 1, ["Léa", "Noé"]))


def make_kit(
    folder: Path, processes: tuple[str, ...] = SERVICES, recordings: Lessons | None = None, **more: Any
) -> Kit:
    """`recordings` are served in place of the lessons in memory."""
    (folder / "media").mkdir()
    lessons, streaming, state = MemoryLessons(folder / "media"), MemoryStreaming(), KitState(processes)
    settings = Settings(data_dir=folder, room="Salle 12", **more)
    app = create_app(
        settings, SECRETS, recordings or lessons, streaming, state, CollectorRegistry(), capture := MemoryCapture()
    )
    report_all(state)
    return Kit(app, lessons, streaming, capture, state)


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    yield make_kit(tmp_path)
