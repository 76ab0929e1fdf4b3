"""The third side of the fan-out's comparison: Janus (Debian's), its streaming plugin fed with RTP of the same packets.

Takes the same bus and commands as the streaming service and passes offers on to Janus' HTTP API, so that the same
viewers join. Run by tests.bench.fanout: ``python -m tests.bench.fanout_janus``; ends Janus when it is told to end, and
leaves Janus' process number in the data folder.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import urllib.error
import urllib.request
from itertools import count
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from struct import pack
from typing import Any

import zmq.asyncio

from appliance import bus
from appliance.messages import CAMERA_720P, MICROPHONE_OPUS, Done, Packet, Watch, Watching
from appliance.settings import Settings, load
from streaming import clock, rtp_h264

PROGRAM = "/usr/bin/janus"
PID_FILE = "measured.pid"
API = "http://127.0.0.1:8088/janus"
PORTS = {"h264": 5004, "opus": 5002}
PAYLOAD_TYPES = {"h264": 102, "opus": 111}
START_TIMEOUT_S = 10.0
POLLS = 20
CREDENTIALS = ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:sha-256")
# Lines of an offer that an answer to it must not repeat.
OWN = ("a=ice-", "a=fingerprint:", "a=setup:", "a=candidate:", "a=end-of-candidates", "a=ssrc", "a=msid:")

GENERAL = """
general: {{ debug_level = 2, session_timeout = 0, log_to_stdout = true }}
nat: {{ ice_lite = true, ice_enforce_list = "{interface}" }}
media: {{ ipv6 = false }}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "{transports}" }}
"""
HTTP = 'general: { json = "compact", base_path = "/janus", http = true, port = 8088, ip = "127.0.0.1" }\n'
STREAMS = f"""
lesson: {{
  type = "rtp", id = 1, is_private = false
  media = (
    {{ type = "video", mid = "v", port = {PORTS["h264"]}, pt = {PAYLOAD_TYPES["h264"]}, codec = "h264",
       fmtp = "profile-level-id=42e01f;packetization-mode=1" }},
    {{ type = "audio", mid = "a", port = {PORTS["opus"]}, pt = {PAYLOAD_TYPES["opus"]}, codec = "opus" }}
  )
}}
"""
OTHER_PLUGINS = ("audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay", "sip", "textroom", "videocall",
                 "videoroom", "voicemail")  # fmt: skip
OTHER_TRANSPORTS = ("mqtt", "nanomsg", "pfunix", "rabbitmq", "websockets")


def write_configuration(folder: Path, interface: str) -> None:
    """Janus' files: the streaming plugin and the HTTP transport, nothing else."""
    general = GENERAL.format(
        interface=interface,
        plugins=",".join(f"libjanus_{name}.so" for name in OTHER_PLUGINS),
        transports=",".join(f"libjanus_{name}.so" for name in OTHER_TRANSPORTS),
    )
    (folder / "janus.jcfg").write_text(general)
    (folder / "janus.transport.http.jcfg").write_text(HTTP)
    (folder / "janus.plugin.streaming.jcfg").write_text(STREAMS)


class Rtp:
    """Packets of one codec as RTP to Janus' port, numbered through."""

    def __init__(self, codec: str, rate: int) -> None:
        self._codec, self._rate = codec, rate
        self._seq = count(1)
        self._socket = socket(AF_INET, SOCK_DGRAM)

    def send(self, packet: Packet) -> None:
        video = self._codec == "h264"
        payloads = rtp_h264.payloads(packet.data) if video else [packet.data]
        ticks = clock.ticks(packet.pts_ns, self._rate) & 0xFFFFFFFF
        for number, payload in enumerate(payloads, 1):
            kind = PAYLOAD_TYPES[self._codec] | (0x80 if video and number == len(payloads) else 0)
            head = pack("!BBHII", 0x80, kind, next(self._seq) & 0xFFFF, ticks, PORTS[self._codec])
            self._socket.sendto(head + payload, ("127.0.0.1", PORTS[self._codec]))


def ask(path: str, **message: Any) -> dict[str, Any]:
    """One request to Janus' HTTP API; without a message the next event of a session (a long poll)."""
    body = json.dumps({"transaction": "t", **message}).encode() if message else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(API + path, body), timeout=30) as response:
        answer: dict[str, Any] = json.loads(response.read())
    return answer


def watch(offer: str) -> str:
    """Join a viewer: Janus makes the offers, so each side's offer is turned into the answer to the other's."""
    session = f"/{ask('', janus='create')['data']['id']}"
    handle = f"{session}/{ask(session, janus='attach', plugin='janus.plugin.streaming')['data']['id']}"
    ask(handle, janus="message", body={"request": "watch", "id": 1})
    for _ in range(POLLS):
        event = ask(session)
        if "jsep" in event:
            own = str(event["jsep"]["sdp"])
            sdp = answer_of(own, offer, direction="recvonly", setup="passive")
            ask(handle, janus="message", body={"request": "start"}, jsep={"type": "answer", "sdp": sdp})
            return answer_of(offer, own, direction="sendonly", setup="active")
    raise RuntimeError("Janus made no offer")


def answer_of(offer: str, other: str, *, direction: str, setup: str) -> str:
    """The answer to `offer` by who wrote `other`: its ICE and DTLS credentials and candidates, the offer's media."""
    said = other.splitlines()
    taken = [next(line for line in said if line.startswith(start)) for start in CREDENTIALS]
    taken += list(dict.fromkeys(line for line in said if line.startswith("a=candidate:")))
    lines: list[str] = []
    for line in offer.splitlines():
        if line.startswith(OWN):
            continue
        if line in ("a=sendonly", "a=recvonly"):
            lines += [*taken, f"a={direction}", f"a=setup:{setup}"]
        elif line.strip():
            lines.append(line)
    if "a=ice-lite" in said:
        lines.insert(4, "a=ice-lite")
    return "\r\n".join(lines) + "\r\n"


async def listening() -> None:
    """Wait until Janus answers."""
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            try:
                await asyncio.to_thread(ask, "", janus="info")
            except urllib.error.URLError:
                await asyncio.sleep(0.1)
            else:
                return


async def feed(settings: Settings, context: Any) -> None:
    topics = [bus.media_topic(CAMERA_720P), bus.media_topic(MICROPHONE_OPUS)]
    media = bus.subscribe(context, settings.bus, ["capture"], topics, 64)
    senders = {"h264": Rtp("h264", clock.VIDEO_RATE), "opus": Rtp("opus", clock.AUDIO_RATE)}
    while True:
        message = bus.decode(*await media.recv_multipart())
        if isinstance(message, Packet):
            senders[message.codec].send(message)


async def answer(settings: Settings, context: Any) -> None:
    requests = context.socket(zmq.REP)
    requests.bind(bus.address(settings.bus, "streaming", "cmd"))
    for number in count(1):
        command = bus.decode_command(await requests.recv())
        reply: Done | Watching = Done()
        if isinstance(command, Watch):
            reply = Watching(str(number), "", await asyncio.to_thread(watch, command.offer))
        await requests.send(bus.encode_reply(reply))


async def main() -> None:
    settings = load()
    folder = settings.data_dir / "janus"
    folder.mkdir()
    write_configuration(folder, settings.ice_interfaces[0])
    janus = subprocess.Popen([PROGRAM, "-F", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        await listening()
        (settings.data_dir / PID_FILE).write_text(str(janus.pid))
        context = zmq.asyncio.Context()
        await asyncio.gather(feed(settings, context), answer(settings, context))
    finally:
        janus.kill()
        janus.wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        raise SystemExit(0) from None
