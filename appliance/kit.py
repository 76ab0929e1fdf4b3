"""`preau run`: checks everything that can be checked before the start, then supervises and says where the pages are."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import segno

from appliance import durable, logs, network, process_names
from appliance.lifetime import EXIT_CONFIGURATION
from appliance.secrets import load_or_create
from appliance.settings import Settings
from appliance.supervisor import SERVICES, ServiceMisconfigured, Supervisor

PROBE_S = 0.2
SLOW_START_S = 30.0


class CannotStart(Exception):
    """Something outside must change first; the message says what."""


def run(settings: Settings, config: Path | None) -> int:
    """Run the kit until SIGTERM or SIGINT. Returns the exit status."""
    logs.configure("supervisor", settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        prepare_folders(settings)
        with sole_user(settings):
            network.check_port(settings.http_host, settings.http_port)
            environ = child_environment(config)
            check_sources(settings, environ)
            announcement = Announcement(settings)
            names = process_names.named(SERVICES, settings.streaming_processes)
            Supervisor(environ, names).run(stopping, announcement.tick)
    except (CannotStart, network.PortUnavailable) as error:
        sys.stderr.write(f"preau: {error}\n")
        return EXIT_CONFIGURATION
    except ServiceMisconfigured as error:
        sys.stderr.write(f"preau: the {error} service cannot start with these settings (see above)\n")
        return EXIT_CONFIGURATION
    return 0


def child_environment(config: Path | None) -> dict[str, str]:
    """The services' environment: ours, the settings file, and the project on the module path."""
    environ = dict(os.environ)
    if config:
        environ["PREAU_CONFIG"] = str(config.absolute())
    root = str(Path(__file__).resolve().parent.parent)
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environ.get("PYTHONPATH"))))
    environ["PYTHONUNBUFFERED"] = "1"
    return environ


def prepare_folders(settings: Settings) -> None:
    """Create and try the data folder. Raises CannotStart naming it."""
    folder = settings.data_dir
    try:
        if folder == Settings().data_dir:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.parent.is_dir():
            # A disk that is not mounted must not be replaced by a new folder on another.
            raise CannotStart(f"data_dir {folder}: {folder.parent} does not exist (is its disk mounted?)")
        folder.mkdir(mode=0o750, exist_ok=True)
        settings.lessons.mkdir(mode=0o750, exist_ok=True)
        settings.bus.mkdir(mode=0o700, exist_ok=True)
        durable.write(folder / ".writable", b"")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotStart(f"data_dir {folder}: cannot be written ({reason}); set data_dir or PREAU_DATA_DIR") from None


@contextmanager
def sole_user(settings: Settings) -> Iterator[None]:
    """Hold the data folder for one kit at a time. Raises CannotStart when another one has it."""
    with (settings.bus / "kit.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(f"another kit is running with the data folder {settings.data_dir}") from None
        yield


def check_sources(settings: Settings, environ: dict[str, str]) -> None:
    """Let capture look at a film before anything starts. Raises CannotStart with what it says."""
    if not any((source or "").startswith("file:") for source in (settings.camera, settings.microphone)):
        return
    command = [sys.executable, "-m", "capture", "--check"]
    result = subprocess.run(command, env=environ, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise CannotStart(result.stderr.strip())


class Announcement:
    """Prints the addresses once the pages answer; `tick` never waits."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._began_s = time.monotonic()
        self._done = threading.Event()
        self._slow = False
        threading.Thread(target=self._probe, name="announcement", daemon=True).start()

    def tick(self) -> None:
        """Say so when the start takes unusually long."""
        if not self._slow and not self._done.is_set() and time.monotonic() - self._began_s > SLOW_START_S:
            self._slow = True
            sys.stderr.write("preau: the pages do not answer yet; `preau doctor` may say why\n")

    def _probe(self) -> None:
        host = "127.0.0.1" if self._settings.http_host in network.ANY else self._settings.http_host
        url = network.page_url(host, self._settings.http_port, "/healthz")
        while not _answers(url):
            time.sleep(PROBE_S)
        self._done.set()
        sys.stdout.write(banner(self._settings, time.monotonic() - self._began_s))
        sys.stdout.flush()


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1):
            return True
    except (OSError, urllib.error.URLError):
        return False


def banner(settings: Settings, took_s: float) -> str:
    """What a teacher, or a newcomer, needs to see: both addresses, PIN, code and a QR for the pupils."""
    secrets = load_or_create(settings)
    hosts = network.reachable_addresses(settings.http_host, settings.ice_interfaces)
    port = settings.http_port
    join = network.page_url(hosts[0], port, f"/join/{secrets.room_code}")
    lines = [
        "",
        f"  Préau · {settings.room} · prêt en / ready in {took_s:.1f} s",
        "",
        f"  Enseignant / teacher   {network.page_url(hosts[0], port, '/teacher')}   PIN {secrets.teacher_pin}",
        f"  Élèves / pupils        {network.page_url(hosts[0], port, '/')}   code {secrets.room_code}",
        *(f"                         {network.page_url(host, port, '/')}" for host in hosts[1:]),
        f"  Données / data         {settings.data_dir}",
        "",
        _qr_text(join),
        f"  {join}",
        "  Ctrl-C pour arrêter / to stop",
        "",
    ]
    return "\n".join(lines) + "\n"


def _qr_text(url: str) -> str:
    """The QR code in half blocks, two modules a character, dark on light with its quiet zone."""
    matrix = [list(row) for row in segno.make(url, error="l").matrix_iter(border=2)]
    if len(matrix) % 2:
        matrix.append([0] * len(matrix[0]))
    blocks = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return "\n".join(
        "  " + "".join(blocks[bool(upper), bool(lower)] for upper, lower in zip(top, bottom, strict=True))
        for top, bottom in zip(matrix[::2], matrix[1::2], strict=True)
    )
