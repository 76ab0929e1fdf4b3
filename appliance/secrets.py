"""What a kit keeps to itself: the teacher's PIN, the room's join code and the key that signs tokens.

Made once, at the first start, in ``DATA_DIR/secrets.json`` (0600). The supervisor and the web service both ask at
about the same moment: the file appears by link(2), whole and only once, and whoever comes second reads the first's.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from appliance import durable
from appliance.settings import Settings, SettingsError

FILE = "secrets.json"
PIN_DIGITS = 6
CODE_DIGITS = 6


class Secrets(msgspec.Struct, frozen=True):
    """`signing_key` is 32 random bytes in hexadecimal."""

    teacher_pin: str
    room_code: str
    signing_key: str


def load_or_create(settings: Settings) -> Secrets:
    """The kit's secrets; a PIN in the settings wins over the one on disk.

    Raises SettingsError, naming the file, when it is there but cannot be read or understood.
    """
    path = settings.data_dir / FILE
    kept = _read(path) or _create(path)
    return msgspec.structs.replace(kept, teacher_pin=settings.teacher_pin) if settings.teacher_pin else kept


def _read(path: Path) -> Secrets | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Secrets)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError(f"secrets file {path}: {error}") from None


def _create(path: Path) -> Secrets:
    made = Secrets(_digits(PIN_DIGITS), _digits(CODE_DIGITS), secrets.token_hex(32))
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE}.{secrets.token_hex(8)}.new")
    durable.write(draft, msgspec.json.encode(made), 0o600)
    try:
        os.link(draft, path)
    except FileExistsError:
        made = _read(path) or made
    finally:
        draft.unlink(missing_ok=True)
    durable.sync_folder(path.parent)
    return made


def _digits(count: int) -> str:
    return f"{secrets.randbelow(10**count):0{count}d}"
