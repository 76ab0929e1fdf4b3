"""`preau doctor`: what is right and what is wrong with this machine and this kit, a line each."""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance import network
from appliance.api import ApiError, KitApi
from appliance.lines import read_chain, whole
from appliance.settings import Settings

LEAST_FREE = 2 * 1024**3  # bytes: about three hours of lessons
CLOCK = "clock.json"  # of lessons.clock
WHY_DOUBTED = {
    "behind": "is behind a day that the kit has known",
    "stepped": "was set by more than an hour; from the next start on it is believed again",
    "ahead": "is 60 days ahead of what was known; after 24 hours of running it is believed",
}
RECEIPTS = "receipts.jsonl"  # of lessons.receipts
JOURNAL = "journal.jsonl"  # of lessons.journal
LONGEST_LINE = 64 * 1024  # bytes of a journal's first line, which has a title of at most 200 characters
MODULES = ("aiortc", "av", "cv2", "flask", "flask_socketio", "zeroconf", "zmq")


class _Clock(msgspec.Struct):
    doubt: str = ""
    newest: float | None = None


@dataclass(frozen=True)
class Finding:
    """One line: `level` is ok, note or wrong."""

    level: str
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything once."""
    for look in (_modules, _data, lessons, receipts, clock, _camera, _microphone, _network, _services):
        yield from look(settings)


def _modules(settings: Settings) -> Iterator[Finding]:
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            yield Finding("wrong", f"module {name}: {error}")
    yield Finding("ok", "modules: all looked for")


def _data(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    if not folder.is_dir():
        yield Finding("note", f"data folder {folder}: not there yet (`preau run` makes it)")
        return
    free = shutil.disk_usage(folder).free
    level = "ok" if free >= LEAST_FREE else "wrong"
    yield Finding(level, f"data folder {folder}: {free / 1024**3:.1f} GiB free")


def lessons(settings: Settings) -> Iterator[Finding]:
    """Folders that the kit leaves alone because their journals have lost even the first line: no list shows them."""
    folders = [one for one in sorted(settings.lessons.glob("[0-9]*")) if one.is_dir()]
    for folder in folders:
        if not _begins(folder / JOURNAL):
            yield Finding(
                "wrong",
                f"lesson {folder.name}: its journal cannot be read; what media it has is in {folder}, "
                f"`preau lesson delete {folder.name}` erases it",
            )
    if folders:
        yield Finding("ok", f"lessons: {len(folders)} looked at")


def _begins(journal: Path) -> bool:
    """Whether the first line is whole. A disk that does not say is another finding's matter."""
    try:
        with journal.open("rb") as file:
            line = file.readline(LONGEST_LINE)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return (whole(line.removesuffix(b"\n")) or b"").startswith(b"1 ")


def receipts(settings: Settings) -> Iterator[Finding]:
    """Whether what was erased still follows from line to line."""
    try:
        chain = read_chain((settings.data_dir / RECEIPTS).read_bytes())
    except FileNotFoundError:
        return
    except OSError as error:
        yield Finding("wrong", f"receipts: {error}")
        return
    if chain.broken:
        lines = ", ".join(map(str, chain.broken))
        yield Finding("wrong", f"receipts: line {lines} does not follow from the one before: damaged or changed")
    else:
        newest = f", the newest {chain.head}" if chain.head else ""
        yield Finding("ok", f"receipts: {len(chain.links)} lines, an unbroken chain{newest}")


def clock(settings: Settings) -> Iterator[Finding]:
    """Whether lessons are deleted by date: not while the kit doubts its clock."""
    try:
        known = msgspec.json.decode((settings.data_dir / CLOCK).read_bytes(), type=_Clock)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return
    if known.doubt:
        newest = time.strftime("%Y-%m-%d", time.localtime(known.newest)) if known.newest else "?"
        why = WHY_DOUBTED.get(known.doubt, known.doubt)
        yield Finding("note", f"clock: no lesson is deleted by date, for the clock {why} (newest known day: {newest})")


def _camera(settings: Settings) -> Iterator[Finding]:
    devices = sorted(str(path) for path in Path("/dev").glob("video[0-9]*"))
    if settings.camera == "auto":
        yield Finding("ok" if devices else "note", f"camera auto: {', '.join(devices) or 'none found, demo picture'}")
    elif settings.camera.startswith("/") and not Path(settings.camera).exists():
        yield Finding("wrong", f"camera {settings.camera}: no such device; found {', '.join(devices) or 'none'}")
    else:
        yield Finding("ok", f"camera {settings.camera}")


def _microphone(settings: Settings) -> Iterator[Finding]:
    try:
        devices = importlib.import_module("sounddevice").query_devices()
    except OSError as error:
        yield Finding("note", f"microphone: {error} (Debian's package libportaudio2)")
        return
    names = [device["name"] for device in devices if device["max_input_channels"] > 0]
    yield Finding("ok" if names else "note", f"microphone: {', '.join(names) or 'none found, demo tone'}")


def _network(settings: Settings) -> Iterator[Finding]:
    found = network.addresses(settings.ice_interfaces)
    yield Finding("ok" if found else "wrong", f"addresses: {', '.join(found) or 'none on the chosen interfaces'}")


def _services(settings: Settings) -> Iterator[Finding]:
    try:
        kit = KitApi(settings).call("GET", "/kit", signed_in=False)
    except ApiError as error:
        yield Finding("note", f"kit: {error}")
        return
    live = kit.get("lesson")
    yield Finding("ok", f"kit: running, {'a lesson is live' if live else 'no lesson is live'}")
