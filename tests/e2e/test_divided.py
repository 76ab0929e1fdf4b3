"""Kit and tablet between which no packet passes: the lesson arrives through coturn, or through the WebSocket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.network import ThreeHosts, unavailable

AUDIBLE_DB = 20


@pytest.fixture(scope="module")
def hosts() -> Iterator[ThreeHosts]:
    if reason := unavailable():
        pytest.skip(reason)
    with ThreeHosts() as three:
        yield three


def watched(hosts: ThreeHosts, way: str) -> dict[str, Any]:
    _, middle, tablet = hosts.names
    told = subprocess.run(
        [*hosts.kit, sys.executable, "-m", "tests.e2e.divided_lesson", middle, tablet, way],
        stdout=subprocess.PIPE, text=True, check=True, timeout=100,
    )  # fmt: skip
    return dict(json.loads(told.stdout.splitlines()[-1]))


@pytest.mark.root
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_lesson_is_seen_through_turn(hosts: ThreeHosts, transport: str, state: Callable[[str], None]) -> None:
    found = watched(hosts, transport)
    state(
        f"through coturn over {transport}: picture {found['first_s']} s after the press, {found['age_ms']:.0f} ms old"
    )
    assert found["way"] == "webrtc" and found["advances"] and found["tone_db"] > AUDIBLE_DB, found
    assert found["allocations"] >= 1 and (found["webrtc"], found["streamed"]) == (1, 0), found


@pytest.mark.alone
@pytest.mark.root
def test_a_lesson_is_seen_through_the_websocket(hosts: ThreeHosts, state: Callable[[str], None]) -> None:
    found = watched(hosts, "none")
    state(
        f"through the WebSocket: picture {found['first_s']} s after the press, {found['age_ms']:.0f} ms old, "
        f"sound against picture {found['clap_ms']:.0f} ms, again {found['returned_s']} s after the way's return; "
        f"{found['remembered_s']} s where it is known that no UDP gets through"
    )
    state(
        f"a shared tab through the WebSocket: {found['shared_age_ms']:.0f} ms old, "
        f"its sound {found['shared_clap_ms']:+.0f} ms against its picture"
    )
    assert found["way"] == "websocket" and found["advances"] and found["tone_db"] > AUDIBLE_DB, found
    assert (found["webrtc"], found["streamed"]) == (0, 1) and found["count"].startswith("1 "), found
    assert found["sound_way"] == "websocket" and found["sound_state"] == "live", found
    assert found["sound_tone_db"] > AUDIBLE_DB and found["sound_pictures"] == 0, found
    assert found["sound_said"] == "Vous entendez le cours. L’image est désactivée.", found
    assert abs(found["clap_ms"]) < 200
    assert found["age_ms"] < 3000
    assert found["shared_way"] == "websocket" and found["shared_tone_db"] > AUDIBLE_DB, found
    assert found["counted"] == 1  # who watches camera and screen
    assert abs(found["shared_clap_ms"]) < 200 and found["shared_age_ms"] < 3000, found


@pytest.mark.root
def test_a_thin_line_gets_the_saving_picture(hosts: ThreeHosts, state: Callable[[str], None]) -> None:
    """400 kb/s of TCP: less than the sharp picture and its sound need, enough for the other."""
    found = watched(hosts, "thin")
    state(f"through a WebSocket of 400 kb/s: the saving picture after {found['saving_s']} s")
    assert found["still_state"] == "live", found
