"""A lesson folder without a bus: sessions that tests feed by hand, with a clock of their own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry

from appliance.messages import Packet
from lessons import session
from lessons.journal import NAME, Created, parse
from lessons.metrics import Metrics
from lessons.recording import Recording, fold
from lessons.session import Session

ID = "20261123-081502-4f2a"
BOOT = "boot-a"
AT = 1_790_000_000.0
CODE = "123456"


def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def begin(root: Path, id: str = ID, at: float = AT, planned_end: float | None = None) -> Session:
    return session.create(root, Created(id, "Les volcans", CODE, at, BOOT, planned_end), metrics(), 0)


def feed(live: Session, packets: Iterable[Packet], at: float = AT) -> None:
    """Every packet at the moment of its capture."""
    for packet in packets:
        live.feed(packet, packet.pts_ns, at)


def record(root: Path, packets: Iterable[Packet], id: str = ID) -> Path:
    """A finished lesson; returns its folder."""
    live = begin(root, id)
    feed(live, packets)
    live.stop(0, AT + 60)
    return live.folder


def read(folder: Path) -> Recording:
    recording = fold(parse((folder / NAME).read_bytes()).records)
    assert recording is not None
    return recording
