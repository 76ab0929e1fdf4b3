"""Wrong PINs, codes, bodies and settings: each has a clear answer, and the kit goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import Kit, Problem, free_port, running_kit

EX_CONFIG = 78


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


def problem(kit: Kit, method: str, path: str, body: bytes | None, **headers: str) -> Problem:
    with pytest.raises(Problem) as caught:
        kit.request(method, path, body, **headers)
    assert caught.value.headers["Content-Type"].startswith("application/problem+json")
    assert caught.value.document["status"] == caught.value.status
    assert caught.value.document["title"]
    return caught.value


@pytest.mark.parametrize(
    ("method", "path", "body", "content", "status"),
    [
        ("POST", "/api/v1/lessons", b"{", "application/json", 400),
        ("POST", "/api/v1/lessons", b"\xff\xfe", "application/json", 400),
        ("POST", "/api/v1/lessons", b'{"title": 7}', "application/json", 400),
        ("POST", "/api/v1/join", b'{"code": "000000", "name": "x"}', "application/json", 404),
        ("GET", "/api/v1/lessons/20260101-000000-abcd", None, "", 404),
        ("GET", "/api/v1/lessons/..%2f..%2fetc", None, "", 404),
        ("POST", "/api/v1/lessons/20260101-000000-abcd/stop", b"{}", "application/json", 404),
        ("DELETE", "/api/v1/lessons/20260101-000000-abcd", None, "", 404),
        ("POST", "/whep", b"", "application/sdp", 400),
        ("POST", "/whep", b"hello", "application/sdp", 400),
        ("POST", "/whep", b"v=0\r\nm=video\r\n", "application/sdp", 400),
        ("POST", "/whep", b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "application/sdp", 400),
        ("POST", "/whep", bytes(range(256)), "application/sdp", 400),
        ("POST", "/whep", b"x" * 70_000, "application/sdp", 413),
        ("POST", "/whep", b"v=0", "text/plain", 415),
        ("PATCH", "/whep/unknown", b"a=end-of-candidates\r\n", "application/trickle-ice-sdpfrag", 428),
    ],
)
def test_each_mistake_has_its_answer(
    kit: Kit, method: str, path: str, body: bytes | None, content: str, status: int
) -> None:
    assert problem(kit, method, path, body, Content_Type=content).status == status


def test_a_second_start_is_refused_while_live(kit: Kit) -> None:
    lesson = kit.api("POST", "lessons", {"title": "Une"})
    assert problem(kit, "POST", "/api/v1/lessons", b"{}", Content_Type="application/json").status == 409
    assert problem(kit, "DELETE", f"/api/v1/lessons/{lesson['id']}", None).status == 409
    kit.api("POST", f"lessons/{lesson['id']}/stop")


def test_without_a_token_nothing_is_given(kit: Kit) -> None:
    for method, path in [("POST", "/api/v1/lessons"), ("GET", "/api/v1/lessons"), ("POST", "/whep")]:
        content = "application/sdp" if path == "/whep" else "application/json"
        assert problem(kit, method, path, b"{}", Authorization="", Content_Type=content).status == 401
        assert problem(kit, method, path, b"{}", Authorization="Bearer x", Content_Type=content).status == 401


def test_wrong_pins_are_throttled(kit: Kit) -> None:
    statuses = [
        problem(kit, "POST", "/api/v1/session", b'{"pin": "0000"}', Content_Type="application/json").status
        for _ in range(8)
    ]
    assert statuses[0] == 401
    assert statuses[-1] == 429


def refused(data: Path, **settings: str) -> str:
    """Start a kit that cannot start; returns what it said."""
    environ = {
        **os.environ,
        "PREAU_HTTP_HOST": "127.0.0.1",
        "PREAU_HTTP_PORT": str(free_port()),
        "PREAU_ICE_INTERFACES": "lo",
        "PREAU_DATA_DIR": str(data),
        **{f"PREAU_{key}": value for key, value in settings.items()},
    }
    command = [sys.executable, "-m", "appliance", "run"]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == EX_CONFIG, result
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_start_that_cannot_be_says_why(tmp_path: Path) -> None:
    text_file = tmp_path / "notes.mp4"
    text_file.write_text("not a film")
    assert "no such file" in refused(tmp_path, CAMERA=f"file:{tmp_path}/absent.mp4")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    assert "there is no video in this file" in refused(tmp_path, CAMERA=f"file:{tmp_path}/sound.wav")
    assert "cannot be read as a film" in refused(tmp_path, CAMERA=f"file:{text_file}")
    assert "does not exist" in refused(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(tmp_path / "file")
    assert "PREAU_HTTP_PORT" in refused(tmp_path, HTTP_PORT="99999")
    assert "PREAU_COLOUR" in refused(tmp_path, COLOUR="blue")


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused(tmp_path, HTTP_PORT=str(port))
    assert str(port) in said
    assert "another program" in said


def test_one_kit_a_data_folder(kit: Kit) -> None:
    assert "another kit is running" in refused(kit.data)


@pytest.mark.root
def test_a_read_only_data_folder_is_named(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("mounting a read-only file system needs root")
    folder = tmp_path / "read-only"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "preau-test", folder], check=True)
    try:
        said = refused(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
    assert str(folder) in said
    assert "Read-only" in said
