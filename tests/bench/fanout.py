"""CPU of fan-out: what one delivered RTP packet costs the sending process, for Préau, Janus and stock aiortc.

    python -m tests.bench.fanout [--viewers 1 10 30 100 300] [--seconds 6] [--senders préau janus aiortc]
        [--processes 1]

All send the same 720p30 picture and the same sound from the same bus, one after the other in one run, to
receivers in another process; as root across two network namespaces, else over lo. CPU is the sending process's own
time (all threads, user and system). Janus is left out where it is not installed; who would need more than
the machine for so many viewers is not asked to. With --processes Préau's viewers are shared by so many processes, whose
time and memory are summed. With --plot it writes docs/fanout.svg; it ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance import process_names
from appliance.messages import Packet
from appliance.settings import Settings
from tests.bench import fanout_janus
from tests.bench.plot import plot
from tests.bench.receivers import Receivers, conclude, cpu_s, rss_mib, say
from tests.network import TwoHosts
from tests.streaming.material import Capture, audio_packets, video_packets

SENDERS = {"préau": "streaming", "janus": "tests.bench.fanout_janus", "aiortc": "tests.bench.fanout_stock"}
MOST_CORES = 1.5  # of two: the receivers need some
PLOT = Path(__file__).parents[2] / "docs/fanout.svg"
SETTLE_S = 1.5
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0


@dataclass
class Row:
    sender: str
    viewers: int
    packets_per_s: float
    core: float
    us_per_packet: float
    rss_mib: float


def measure(
    name: str, hosts: TwoHosts, media: tuple[list[Packet], list[Packet]], options: argparse.Namespace
) -> list[Row]:
    """All numbers of viewers for one sender, each viewer joining those before."""
    with tempfile.TemporaryDirectory(prefix="preau-bench-") as folder:
        numbers = range(1, options.processes + 1) if name == "préau" else range(1, 2)
        settings = Settings(data_dir=Path(folder))
        environment = {
            **os.environ,
            "PREAU_DATA_DIR": folder,
            "PREAU_STREAMING_PROCESSES": str(len(numbers)),
            "PREAU_ICE_INTERFACES": hosts.interface,
            "PREAU_LOG_LEVEL": "error",
        }
        capture = Capture(settings, *media)
        command = [*hosts.left, sys.executable, "-m", SENDERS[name]]
        senders = [
            subprocess.Popen([*command, *([str(number)] if number > 1 else [])], env=environment) for number in numbers
        ]
        receivers = Receivers([hosts.right_address], hosts.right, environment)
        capture.start()
        try:
            ready = [settings.bus / f"{process_names.streaming(number)}.cmd" for number in numbers]
            deadline = time.monotonic() + START_TIMEOUT_S
            while not all(command.exists() for command in ready):
                if time.monotonic() > deadline or _ended(senders):
                    raise RuntimeError(f"{name} did not start")
                time.sleep(0.05)
            other = Path(folder) / fanout_janus.PID_FILE
            pids = [int(other.read_text())] if other.exists() else [sender.pid for sender in senders]
            rows: list[Row] = []
            for viewers in options.viewers:
                if rows and rows[-1].core * viewers / rows[-1].viewers > MOST_CORES:
                    say(f"{name:8} {viewers:8}  would need more processor than there is")
                    break
                rows.append(_step(name, viewers, pids, receivers, options.seconds))
                if ended := _ended(senders):
                    raise RuntimeError(f"{name} ended by itself, with {ended[0].returncode}")
            return rows
        finally:
            receivers.stop()
            for sender in senders:
                _stop(sender)
            capture.stop()


def _ended(senders: Sequence[subprocess.Popen[bytes]]) -> list[subprocess.Popen[bytes]]:
    return [sender for sender in senders if sender.poll() is not None]


def _stop(sender: subprocess.Popen[bytes]) -> None:
    sender.terminate()
    try:
        sender.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        sender.kill()
        sender.wait()


def _step(name: str, viewers: int, pids: Sequence[int], receivers: Receivers, seconds: float) -> Row:
    receivers.open(viewers)
    time.sleep(SETTLE_S)
    begun, used, counted = time.monotonic(), sum(map(cpu_s, pids)), receivers.datagrams()
    time.sleep(seconds)
    counted = receivers.datagrams() - counted
    used, took = sum(map(cpu_s, pids)) - used, time.monotonic() - begun
    row = Row(name, viewers, counted / took, used / took, used / max(1, counted) * 1e6, sum(map(rss_mib, pids)))
    say(
        f"{row.sender:8} {row.viewers:8} {row.packets_per_s:11.0f} {row.core:7.3f} "
        f"{row.us_per_packet:10.2f} {row.rss_mib:8.1f}"
    )
    return row


def figures(rows: list[Row]) -> dict[str, float]:
    """The keys of the last line; those whose number of viewers was not measured are left out."""
    of = {(row.sender, row.viewers): row for row in rows}
    own = {row.viewers: row for row in rows if row.sender == "préau"}
    result: dict[str, float] = {}
    for viewers, row in own.items():
        result[f"us_per_packet_{viewers}"] = round(row.us_per_packet, 2)
        result[f"cores_{viewers}"] = round(row.core, 3)
        for other in ("janus", "aiortc"):
            if beside := of.get((other, viewers)):
                result[f"ratio_to_{other}_{viewers}"] = round(row.us_per_packet / beside.us_per_packet, 3)
    if len(own) > 1:
        least, most = min(own), max(own)
        result["mib_per_viewer"] = round((own[most].rss_mib - own[least].rss_mib) / (most - least), 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU per delivered RTP packet.")
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 10, 30, 100, 300])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--senders", nargs="+", choices=list(SENDERS), default=list(SENDERS))
    parser.add_argument("--processes", type=int, default=1, help="of Préau (streaming_processes)")
    parser.add_argument("--plot", action="store_true", help=f"write {PLOT.name}")
    options = parser.parse_args()
    if options.plot and options.processes > 1:
        parser.error("the plot is of one process a sender")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no process and no namespace behind
    media = (video_packets(150, width=1280, height=720, bitrate=1_500_000), audio_packets(200))
    rows: list[Row] = []
    with TwoHosts() as hosts:
        where = "across two network namespaces (veth)" if hosts.separate else "over lo"
        say(f"720p30 H.264 + Opus {where}, {options.seconds:g} s a line")
        say("sender    viewers   packets/s   cores  us/packet  MiB RSS")
        for name in options.senders:
            if name == "janus" and not Path(fanout_janus.PROGRAM).exists():
                say("janus    is not installed")
                continue
            rows += measure(name, hosts, media, options)
    if options.plot:
        PLOT.write_text(plot([(row.sender, row.viewers, row.core) for row in rows]), encoding="utf-8")
    conclude("fanout", figures(rows))


if __name__ == "__main__":
    main()
