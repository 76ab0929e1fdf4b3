"""Settings are read whole, and every wrong key is named."""

from pathlib import Path

import pytest

from appliance.settings import LONGEST_FOLDER, Settings, SettingsError, load
from appliance.settings_page import PAGE, page


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "preau.toml"
    file.write_text('http_port = 9000\nroom = "Salle 12"\nice_interfaces = ["eth0"]\n')
    settings = load(file, {"PREAU_HTTP_PORT": "9001", "PREAU_ICE_INTERFACES": "lo, wlan0"})
    assert (settings.http_port, settings.room, settings.ice_interfaces) == (9001, "Salle 12", ["lo", "wlan0"])


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("HTTP_PORT", "0", "greater than or equal to 1"),
        ("HTTP_PORT", "http", "valid integer"),
        ("TEACHER_PIN", "12ab", "match pattern"),
        ("CAMERA", "file:", "must be auto, demo, file:PATH or a device"),
        ("LANGUAGE", "de", "'fr' or 'en'"),
        ("KIT_NAME", "Préau!", "match pattern"),
        ("ICE_SERVERS", "http://192.0.2.1", "is no STUN or TURN address"),
        ("ICE_SERVERS", "stun:192.0.2.1?transport=udp", "is no STUN or TURN address"),
        ("ICE_SERVERS", 'turn:a"; x="', "is no STUN or TURN address"),
        ("STREAMING_PROCESSES", "0", "greater than or equal to 1"),
        ("STREAMING_PROCESSES", "17", "less than or equal to 16"),
        ("TURN_SECRET", "short", "at least 8 characters"),
        ("CAMRA", "demo", "there is no such setting"),
    ],
)
def test_a_wrong_value_is_refused_by_name(key: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as caught:
        load(environ={f"PREAU_{key}": value})
    assert f"PREAU_{key}" in str(caught.value)


def test_turn_needs_its_secret() -> None:
    urls = "stun:192.0.2.1:3478,turn:relay.example,turn:[2001:db8::1]:3478?transport=tcp,turns:relay.example:443"
    settings = load(environ={"PREAU_ICE_SERVERS": urls, "PREAU_TURN_SECRET": "north pole"})
    assert settings.ice_servers == urls.split(",")
    with pytest.raises(SettingsError, match="PREAU_TURN_SECRET.*is needed"):
        load(environ={"PREAU_ICE_SERVERS": urls})
    with pytest.raises(SettingsError) as caught:
        load(environ={"PREAU_TURN_SECRET": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_all_wrong_keys_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ={"PREAU_HTTP_PORT": "x", "PREAU_LANGUAGE": "x"})
    assert {"PREAU_HTTP_PORT", "PREAU_LANGUAGE"} <= set(str(caught.value).replace(")", " ").split())


def test_the_pin_is_not_shown_in_the_message() -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ={"PREAU_TEACHER_PIN": "hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["http_port = ", "\0", "http_port = 1\nhttp_port = 2"])
def test_a_broken_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "preau.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="preau.toml"):
        load(file, {})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load(tmp_path / "absent.toml", {})


def test_a_film_brings_its_own_sound_unless_a_microphone_is_set() -> None:
    assert Settings(camera="file:a.mp4").microphone_source == "file:a.mp4"
    assert Settings(camera="file:a.mp4", microphone="demo").microphone_source == "demo"
    assert Settings().microphone_source == "auto"


def test_the_bus_fits_in_a_socket_address(tmp_path: Path) -> None:
    assert Settings(data_dir=Path("/data")).bus == Path("/data/run")
    assert len(str(Settings(data_dir=tmp_path / ("x" * 120)).bus)) <= LONGEST_FOLDER


def test_the_page_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make settings-page"
