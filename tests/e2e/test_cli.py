"""The command `preau` beside a running kit: start, list, export, stop, delete, doctor."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.judge import probe
from tests.kit import Kit, free_port, running_kit, wait_until


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


def preau(*arguments: str, data: Path, port: int, answer: str = "") -> subprocess.CompletedProcess[str]:
    environ = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PREAU_")},
        "PREAU_DATA_DIR": str(data),
        "PREAU_HTTP_HOST": "127.0.0.1",
        "PREAU_HTTP_PORT": str(port),
        "PREAU_ICE_INTERFACES": "lo",
        "PREAU_TEACHER_PIN": "271828",
    }
    command = [sys.executable, "-m", "appliance", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, input=answer, timeout=60, check=False)


def test_a_lesson_from_the_command_line(kit: Kit, tmp_path: Path) -> None:
    def run(*arguments: str, answer: str = "") -> str:
        result = preau(*arguments, data=kit.data, port=kit.port, answer=answer)
        assert result.returncode == 0, result
        return result.stdout

    lesson, _, code = run("lesson", "start", "Géométrie").split()
    assert code == kit.api("GET", "kit")["join"]["code"]
    wait_until(lambda: kit.api("GET", f"lessons/{lesson}")["duration_s"] > 1, 10, "the recording")
    assert "live" in run("lesson", "list")
    assert "a lesson is live" in run("doctor")
    run("lesson", "stop", lesson)
    listed = run("lesson", "list")
    assert lesson in listed
    assert "Géométrie" in listed
    assert "all as written" in run("lesson", "verify", lesson)
    run("export", lesson, str(tmp_path / "lesson.mp4"))
    assert probe(tmp_path / "lesson.mp4").duration_s > 1
    run("export", lesson, str(tmp_path / "lesson.m4a"), "--sound")
    sound = probe(tmp_path / "lesson.m4a")
    assert sound.duration_s > 1 and (sound.video_frames, sound.complaints) == (0, "")
    for absent in ("--screen", "--stills"):
        refused = preau("export", lesson, str(tmp_path / "absent"), absent, data=kit.data, port=kit.port)
        assert refused.returncode == 1 and len(refused.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lesson.m4a", "lesson.mp4"]
    day = datetime.now() + timedelta(days=40)
    run("lesson", "keep", lesson, f"{day:%Y-%m-%d}")
    assert datetime.fromtimestamp(kit.api("GET", f"lessons/{lesson}")["ends_at"]).date() == day.date()
    run("lesson", "delete", lesson, answer="y\n")
    assert run("lesson", "list") == ""
    [receipt] = run("lesson", "receipts").splitlines()
    assert lesson in receipt and "hand teacher  erased" in receipt and "Géométrie" not in receipt
    assert "receipts: 2 lines, an unbroken chain" in run("doctor")


def test_what_cannot_be_done_is_said_in_a_line(kit: Kit, tmp_path: Path) -> None:
    unknown = preau("lesson", "stop", "20260101-000000-abcd", data=kit.data, port=kit.port)
    assert unknown.returncode == 1
    assert len(unknown.stderr.splitlines()) == 1
    absent = preau("lesson", "verify", "20260101-000000-abcd", data=kit.data, port=kit.port)
    assert (absent.returncode, absent.stdout) == (2, "there is no lesson 20260101-000000-abcd\n")
    nobody = preau("lesson", "list", data=tmp_path, port=free_port())
    assert nobody.returncode == 1
    assert "is `preau run` running?" in nobody.stderr
    wrong = preau("--config", str(tmp_path / "absent.toml"), "run", data=tmp_path, port=free_port())
    assert wrong.returncode == 78
    assert "there is no such file" in wrong.stderr


def test_lessons_are_found_described_and_joined(kit: Kit) -> None:
    def run(*arguments: str, answer: str = "") -> str:
        result = preau(*arguments, data=kit.data, port=kit.port, answer=answer)
        assert result.returncode == 0, result
        return result.stdout

    ids = []
    for title in ("Avant la sonnerie", "Après"):
        id = run("lesson", "start", title, "--subject", "Géologie", "--class", "3e B").split()[0]
        wait_until(lambda id=id: kit.api("GET", f"lessons/{id}")["duration_s"] > 1, 10, "the recording")  # type: ignore[misc]
        run("lesson", "stop", id)
        ids.append(id)
    run("lesson", "edit", ids[1], "--title", "Les volcans & co", "--teacher", "Mme Roux", "--visibility", "school")
    found = run("lesson", "list", "--search", "geologie volcans &")
    assert found.splitlines()[0].endswith("Les volcans & co · Géologie · 3e B · Mme Roux") and found.count("\n") == 1
    assert kit.api("GET", f"lessons/{ids[1]}")["visibility"] == "school"
    assert run("lesson", "list", "--class", "3E b", "--sort", "title").count("\n") == 2
    assert run("lesson", "list", "--teacher", "nobody") == ""
    lengths = [kit.api("GET", f"lessons/{id}")["duration_s"] for id in ids]
    run("lesson", "join", *ids, answer="y\n")
    assert kit.api("GET", f"lessons/{ids[0]}")["duration_s"] == pytest.approx(sum(lengths))
    assert run("lesson", "list", "--search", "sonnerie").count("\n") == 1
    wrong = preau("lesson", "edit", ids[0], "--title", "", data=kit.data, port=kit.port)
    assert wrong.returncode == 1 and "title" in wrong.stderr
    run("lesson", "delete", ids[0], answer="y\n")
