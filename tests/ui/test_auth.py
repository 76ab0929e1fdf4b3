"""Tokens, cookies across sites, secrets on disk."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.secrets import FILE, Secrets, load_or_create
from appliance.settings import Settings, SettingsError
from tests.ui.conftest import PIN, SECRETS, Kit
from ui.auth import Guard, Identity, Tokens
from ui.problems import Problem


def test_a_token_says_who() -> None:
    tokens = Tokens(SECRETS)
    assert tokens.read(tokens.issue("pupil", "Léa", "v1")) == Identity("pupil", "Léa", "v1", SECRETS.room_code)


@pytest.mark.parametrize(
    "issuer",
    [Secrets("1", SECRETS.room_code, "00" * 32), Secrets("1", "999999", SECRETS.signing_key)],
    ids=["another key", "another room code"],
)
def test_a_foreign_token_says_nothing(issuer: Secrets) -> None:
    assert Tokens(SECRETS).read(Tokens(issuer).issue("teacher", "X", "v")) is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "\x00" * 10])
def test_a_damaged_token_says_nothing(token: str) -> None:
    assert Tokens(SECRETS).read(token) is None


def test_a_token_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(SECRETS)
    token = tokens.issue("teacher", "X", "v")
    monkeypatch.setattr("ui.auth.TOKEN_LIFE_S", -1)
    assert tokens.read(token) is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_a_cookie_counts_only_from_the_kits_own_pages(kit: Kit, headers: dict[str, str], status: int) -> None:
    client = kit.client()
    client.post("/api/v1/session", json={"pin": PIN})
    assert client.post("/api/v1/lessons", json={}, headers=headers).status_code == status


def test_a_bearer_token_counts_from_anywhere(kit: Kit) -> None:
    headers = {**kit.teacher(), "Origin": "http://elsewhere.example"}
    assert kit.client().post("/api/v1/lessons", json={}, headers=headers).status_code == 201


def test_a_bad_bearer_token_does_not_fall_back_to_the_cookie(kit: Kit) -> None:
    client = kit.client()
    client.post("/api/v1/session", json={"pin": PIN})
    response = client.post("/api/v1/lessons", json={}, headers={"Authorization": "Bearer x"})
    assert response.status_code == 401 and response.headers["WWW-Authenticate"].startswith("Bearer")


def test_guesses_at_once_are_counted_one_by_one() -> None:
    guard = Guard("123456", "5/minute")

    def guess(number: int) -> bool:
        try:
            return guard.check(f"{number:06d}", "10.0.0.1")
        except Problem as problem:
            assert problem.status == 429
            return True

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(guess, range(64))).count(False) == 5


def test_secrets_are_made_once_whoever_asks(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: load_or_create(settings), range(8)))
    assert len(made) == 1
    secrets = made.pop()
    assert len(secrets.teacher_pin) == len(secrets.room_code) == 6 and len(secrets.signing_key) == 64
    assert stat.S_IMODE((tmp_path / "new" / FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == [FILE]


def test_the_settings_pin_wins_and_is_not_written(tmp_path: Path) -> None:
    kept = load_or_create(Settings(data_dir=tmp_path))
    chosen = load_or_create(Settings(data_dir=tmp_path, teacher_pin="4242"))
    assert (chosen.teacher_pin, chosen.room_code) == ("4242", kept.room_code)
    assert load_or_create(Settings(data_dir=tmp_path)) == kept


def test_damaged_secrets_are_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(SettingsError, match=FILE):
        load_or_create(Settings(data_dir=tmp_path))
