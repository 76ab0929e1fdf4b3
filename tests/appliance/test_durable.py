"""Durable writes: whole or not at all."""

import os
from pathlib import Path

import pytest

from appliance import durable


def test_write_replaces_whole_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    durable.write(path, b"old")
    durable.write(path, b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["secrets.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    durable.write(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        durable.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_append_returns_offsets_and_survives_reopening(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with durable.Appender(path) as file:
        assert [file.append(b"one"), file.append(b"three")] == [0, 3]
    with durable.Appender(path, length=3) as file:
        assert file.append(b"two") == 3
    assert path.read_bytes() == b"onetwo"


def test_a_failed_append_leaves_no_torn_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    with durable.Appender(path) as file:
        file.append(b"whole")
        with monkeypatch.context() as patch:

            def fails(descriptor: int) -> None:
                raise OSError(5, "Input/output error")

            patch.setattr(os, "fdatasync", fails)
            with pytest.raises(OSError, match="Input/output"):
                file.append(b"torn")
        assert file.append(b"next") == 5
    assert path.read_bytes() == b"wholenext"


def test_going_on_behind_the_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"12345")
    with pytest.raises(ValueError, match="5 bytes"):
        durable.Appender(path, length=6)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders whose entries have been made durable."""
    folders: list[Path] = []
    monkeypatch.setattr(durable, "sync_folder", folders.append)
    return folders


def test_a_file_that_a_process_made_before_it_died_is_kept_by_its_name_too(tmp_path: Path, synced: list[Path]) -> None:
    path = tmp_path / "journal"
    path.touch()
    durable.Appender(path).close()
    assert synced == [tmp_path]


def test_a_folder_is_kept_whoever_made_it_and_its_parents(tmp_path: Path, synced: list[Path]) -> None:
    folder = tmp_path / "data" / "lessons"
    durable.keep_folder(folder)
    assert folder.is_dir()
    durable.keep_folder(folder)
    assert synced == [*folder.parents] * 2


def test_a_folder_below_one_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(folder)

    monkeypatch.setattr(durable, "sync_folder", refuse)
    durable.keep_folder(tmp_path / "lessons")
    assert (tmp_path / "lessons").is_dir()


def test_make_folder_makes_parents_and_refuses_an_existing_one(tmp_path: Path) -> None:
    durable.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    with pytest.raises(FileExistsError):
        durable.make_folder(tmp_path / "a")
