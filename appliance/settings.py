"""The settings of a kit: one TOML file, each key overridable as ``PREAU_<KEY>``.

Read and validated once, whole, by `load`; passed to whoever needs them. Nothing here is global.
"""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from appliance.process_names import MOST_STREAMING, streaming

DEFAULT_FILE = Path("/etc/preau/preau.toml")
PREFIX = "PREAU_"
# Set by the supervisor for its children; not settings, so not refused as unknown keys.
INTERNAL_VARIABLES = {"PREAU_CONFIG", "PREAU_RESTARTS", "PREAU_SUPERVISOR_PID"}
# sockaddr_un holds 107 bytes of path (unix(7)); the bus's names need some of them.
LONGEST_FOLDER = 107 - len(f"{streaming(MOST_STREAMING)}.pub") - 1
# RFC 7064 and RFC 7065; a transport is for TURN only.
_ICE_HOST = r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\])(:\d{1,5})?"
_ICE_URL = re.compile(rf"stuns?:{_ICE_HOST}|turns?:{_ICE_HOST}(\?transport=(udp|tcp))?")


class SettingsError(Exception):
    """The settings cannot be used; the message names the key and what is wrong with it."""


def _comma_separated(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return Path(base) / "preau"


class Settings(BaseModel):
    """Every key, its unit and its default. Field order is the order of docs/settings.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    room: str = Field("Salle de classe", min_length=1, max_length=60, description="Name of the room, shown on pages.")
    kit_name: str = Field("preau", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", description="NAME in NAME.local.")
    language: Literal["fr", "en"] = Field("fr", description="Language of pages when the browser asks for neither.")
    http_host: str = Field("0.0.0.0", min_length=1, description="Address the pages are served on.")
    http_port: int = Field(8080, ge=1, le=65535, description="TCP port of the pages.")
    http_threads: int = Field(120, ge=8, le=2000, description="Threads of the web server; one per open page.")
    data_dir: Path = Field(default_factory=_default_data_dir, description="Folder of lessons and secrets.")
    runtime_dir: Path | None = Field(None, description="Folder of the bus's sockets; derived from data_dir.")
    teacher_pin: str | None = Field(
        None, pattern=r"^\d{4,12}$", description="Teacher's PIN, 4 to 12 digits; made at first start when not set."
    )
    camera: str = Field("auto", description="auto, demo, file:PATH or a device such as /dev/video0.")
    microphone: str | None = Field(
        None, description="auto, demo, file:PATH, none or a PortAudio device; the film's own sound for a film."
    )
    video_bitrate: int = Field(1_500_000, ge=100_000, le=20_000_000, description="720p, bits per second.")
    video_bitrate_saving: int = Field(
        400_000, ge=50_000, le=20_000_000, description="360p for weak lines, bits per second."
    )
    ice_interfaces: Annotated[list[str], BeforeValidator(_comma_separated)] = Field(
        default_factory=list, description="Network interfaces for media and discovery (lo allowed); empty means all."
    )
    ice_servers: Annotated[list[str], BeforeValidator(_comma_separated)] = Field(
        default_factory=list,
        description="STUN and TURN servers for pages: stun:HOST, turn:HOST?transport=tcp, turns:HOST.",
    )
    turn_secret: str | None = Field(
        None,
        min_length=8,
        validate_default=True,
        description="The secret shared with the TURN servers (coturn's use-auth-secret).",
    )
    lesson_minutes: int = Field(
        55,
        ge=5,
        le=600,
        description="How long a lesson is planned when nobody says; until then it goes on after a power cut.",
    )
    lesson_visibility: Literal["class", "teacher", "school"] = Field(
        "class",
        description="Who may see a new lesson's recording: class (who joined with its code), teacher, school (all).",
    )
    retention_days: int = Field(
        180,
        ge=1,
        le=3650,
        description="Days after its start at which a lesson is deleted when its teacher sets no other date.",
    )
    auto_chapters: bool = Field(
        True,
        description="Whether a chapter begins where the board or the shared screen changes page.",
    )
    record_talk: bool = Field(
        False,
        description="Whether teachers may have pupils' voices recorded, lesson by lesson; without it they never are.",
    )
    saving_replay: bool = Field(
        True,
        description="Whether a small picture of each recording is made for weak lines, while no lesson is live.",
    )
    streaming_processes: int = Field(
        1,
        ge=1,
        le=MOST_STREAMING,
        description="Processes that share a lesson's viewers, so that more cores serve more tablets.",
    )
    discovery: bool = Field(True, description="Advertise the kit on the network (mDNS).")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity logged.")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else JSON.")

    @field_validator("camera", "microphone")
    @classmethod
    def _known_source(cls, value: str | None) -> str | None:
        if value is not None and (not value or value == "file:"):
            raise ValueError("must be auto, demo, file:PATH or a device")
        return value

    @field_validator("ice_servers")
    @classmethod
    def _ice_urls(cls, value: list[str]) -> list[str]:
        for url in value:
            if not _ICE_URL.fullmatch(url):
                raise ValueError(f"{url} is no STUN or TURN address (RFC 7064, RFC 7065)")
        return value

    @field_validator("turn_secret")
    @classmethod
    def _secret_for_turn(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and any(url.startswith("turn") for url in info.data.get("ice_servers", [])):
            raise ValueError("is needed for the TURN servers of ice_servers")
        return value

    @field_validator("data_dir", "runtime_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else value

    @property
    def bus(self) -> Path:
        """The runtime folder: as set, or below data_dir, or (its path being too long for a socket) in /tmp."""
        if self.runtime_dir:
            return self.runtime_dir
        below = self.data_dir / "run"
        if len(str(below)) <= LONGEST_FOLDER:
            return below
        digest = sha256(str(self.data_dir).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"preau-{os.getuid()}-{digest}"

    @property
    def lessons(self) -> Path:
        return self.data_dir / "lessons"

    @property
    def microphone_source(self) -> str:
        """The microphone setting with its default resolved: a film brings its own sound."""
        if self.microphone is not None:
            return self.microphone
        return self.camera if self.camera.startswith("file:") else "auto"


def load(config: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the TOML file and the environment. Raises SettingsError naming every wrong key at once."""
    values = _read_file(config, environ)
    values.update(_read_environment(environ))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(problem) for problem in error.errors())) from None


def _read_file(config: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    named = config or (Path(environ["PREAU_CONFIG"]) if environ.get("PREAU_CONFIG") else None)
    path = named or DEFAULT_FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named is None:
            return {}
        raise SettingsError(f"settings file {path}: there is no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"settings file {path}: {error}") from None


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name not in INTERNAL_VARIABLES and value != ""
    }


def _explain(problem: Any) -> str:
    key = str(problem["loc"][0]) if problem["loc"] else "settings"
    name = f"{key} (or {PREFIX}{key.upper()})"
    if problem["type"] == "extra_forbidden":
        return f"{name}: there is no such setting"
    reason = re.sub(r"^Value error, ", "", problem["msg"])
    shown = "" if "pin" in key or "secret" in key else f" (got {problem['input']!r})"
    return f"{name}: {reason}{shown}"
