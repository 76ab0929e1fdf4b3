"""PIN, code and key are made once, whoever asks first, and are nobody else's to read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from appliance.secrets import FILE, load_or_create
from appliance.settings import Settings


def test_all_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: load_or_create(settings), range(16)))
    assert len(set(map(repr, made))) == 1
    assert load_or_create(settings) == made[0]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_the_pin_of_the_settings_comes_first(tmp_path: Path) -> None:
    kept = load_or_create(Settings(data_dir=tmp_path))
    chosen = load_or_create(Settings(data_dir=tmp_path, teacher_pin="4321"))
    assert chosen.teacher_pin == "4321"
    assert chosen.room_code == kept.room_code
