"""Counters of processes that share their names: each sample has its label, and each family stands once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families

from appliance import bus, process_names
from appliance.exposition import expose, join
from appliance.messages import Health
from appliance.service import Service
from appliance.settings import LONGEST_FOLDER, Settings
from tests.kit import wait_until


def registry(viewers: int) -> CollectorRegistry:
    own = CollectorRegistry()
    Gauge("preau_streaming_viewers", "Viewers.", registry=own).set(viewers)
    Counter("preau_streaming_drops", "Drops.", ["track"], registry=own).labels("camera/720p").inc(2)
    return own


def test_without_labels_nothing_changes() -> None:
    text = expose(registry(3), {})
    assert b"\npreau_streaming_viewers 3.0\n" in text
    assert join([text]) == text


def test_several_are_told_apart_and_each_family_stands_once() -> None:
    names = [process_names.streaming(number) for number in (1, 2)]
    text = join(expose(registry(number), {"service": name}) for number, name in enumerate(names, 1)).decode()
    described = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert sorted(described) == sorted(set(described))
    samples = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) == len(set(samples))
    assert (
        'preau_streaming_viewers{service="streaming"} 1.0\npreau_streaming_viewers{service="streaming-2"} 2.0\n' in text
    )
    assert 'preau_streaming_drops_total{service="streaming-2",track="camera/720p"} 2.0\n' in text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(families["preau_streaming_viewers"].samples) == 2


@pytest.mark.parametrize(
    ("name", "count", "sample"),
    [
        ("streaming", 1, b"\npreau_streaming_restarts 0.0\n"),
        ("streaming", 2, b'\npreau_streaming_restarts{service="streaming"} 0.0\n'),
        ("streaming-2", 2, b'\npreau_streaming_restarts{service="streaming-2"} 0.0\n'),
        ("capture", 2, b"\npreau_capture_restarts 0.0\n"),
        ("capture", 1, b'\npreau_capture_threads{kind="health"} 1.0\n'),
    ],
)
def test_a_process_labels_its_counters_where_there_are_several(
    tmp_path: Path, name: str, count: int, sample: bytes
) -> None:
    settings = Settings(data_dir=tmp_path, streaming_processes=count)
    settings.bus.mkdir(parents=True)
    subscriber = bus.Subscriber(settings.bus, [name], [bus.EVENT_TOPIC], queue=10)
    process = Service(name, settings)
    process.start()
    heard = wait_until(lambda: subscriber.receive(0.1), 5, "the process to speak")
    process.stopping.set()
    process.join()
    subscriber.close()
    assert isinstance(heard, Health)
    assert heard.service == name
    assert sample in heard.exposition


def test_names_lead_back_and_fit_in_a_socket_address() -> None:
    names = process_names.named(("lessons", "streaming", "ui"), 3)
    assert names == ("lessons", "streaming", "streaming-2", "streaming-3", "ui")
    assert [(process_names.service(name), process_names.number(name)) for name in names[1:4]] == [
        ("streaming", 1),
        ("streaming", 2),
        ("streaming", 3),
    ]
    longest = bus.address(Path("/" + "x" * (LONGEST_FOLDER - 1)), process_names.streaming(16), "pub")
    assert len(longest.removeprefix("ipc://")) == 107
