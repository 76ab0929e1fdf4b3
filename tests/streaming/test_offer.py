from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from aiortc import RTCIceCandidate
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming import interfaces, offer
from tests.streaming.watcher import Watcher


async def _sample() -> str:
    watcher = Watcher()
    text = await watcher.offer()
    await watcher.close()
    return text


@pytest.fixture(scope="module")
def sample() -> str:
    return asyncio.run(_sample())


def without(prefix: str) -> Callable[[str], str]:
    return lambda text: "\r\n".join(line for line in text.splitlines() if not line.startswith(prefix))


def replaced(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


BAD = {
    "empty": lambda text: "",
    "blank": lambda text: " \r\n",
    "binary": lambda text: text + "\x00\x01",
    "too long": lambda text: text + "a=x\r\n" * 20_000,
    "no media": lambda text: text[: text.index("m=")],
    "not SDP": lambda text: "hello",
    "HTML": lambda text: "<html></html>",
    "bad media line": replaced("m=video", "m=video x"),
    "foreign payload type": replaced("UDP/TLS/RTP/SAVPF ", "UDP/TLS/RTP/SAVPF 999 "),
    "bad rtpmap": replaced("a=rtpmap:", "a=rtpmap:x"),
    "orphan fmtp": replaced("a=fmtp:", "a=fmtp:1"),
    "bad setup": replaced("a=setup:actpass", "a=setup:nonsense"),
    "bad group": replaced("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
    "no bundle": without("a=group"),
    "no mid": without("a=mid"),
    "one mid twice": replaced("a=mid:1", "a=mid:0"),
    "long mid": replaced("a=mid:1", "a=mid:" + "x" * 40),
    "no ufrag": without("a=ice-ufrag"),
    "no password": without("a=ice-pwd"),
    "no fingerprint": without("a=fingerprint"),
    "bad fingerprint": replaced("a=fingerprint:sha-256 ", "a=fingerprint:sha-256"),
    "weak fingerprint": lambda text: re.sub("sha-(256|384|512)", "sha-1", text),
    "no H.264": replaced("H264", "H265"),
    "H.264 of packetization-mode 0": replaced("packetization-mode=1", "packetization-mode=0"),
    "H.264 of another profile": lambda text: text.replace("42001f", "64001f").replace("42e01f", "64001f"),
    "no Opus": replaced("opus/48000", "opus/8000"),
    "wants to send": replaced("a=recvonly", "a=sendonly"),
    "inactive": replaced("a=recvonly", "a=inactive"),
    "data channel": lambda text: text + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n",
    "two pictures": replaced("m=audio", "m=video"),
    "bad candidate": lambda text: text + "a=candidate:1 1 udp\r\n",
    "bundle with an absent section": lambda text: text[: text.index("m=audio")],
    "endless port": lambda text: text + f"a=candidate:1 1 udp 1 10.0.0.1 {'9' * 5000} typ host\r\n",
    "many candidates": lambda text: text + "a=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n" * 100,
    "bad connection line": lambda text: text + "c=IN IP7 x\r\n",
    "bad version": replaced("v=0", "v=zero"),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD.keys())
def test_bad_offers_are_refused_in_words(sample: str, spoil: Callable[[str], str]) -> None:
    assert spoil(sample) != sample
    with pytest.raises(offer.OfferError, match=r"^the (offer|candidate) |^every "):
        offer.read(spoil(sample), "192.0.2.7")


def test_a_good_offer(sample: str) -> None:
    read = offer.read(sample, "192.0.2.7")
    assert (read.kinds, read.mid) == (("video", "audio"), "0")
    assert len(read.username) >= 4


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_one_medium_is_enough(kind: str) -> None:
    async def text() -> str:
        watcher = Watcher((kind,))
        sdp = await watcher.offer()
        await watcher.close()
        return sdp

    assert offer.read(asyncio.run(text()), "").kinds == (kind,)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_torn_offers_raise_nothing_else(sample: str, data: st.DataObject) -> None:
    lines = sample.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.integers(0, len(lines) - 1))
        cut = data.draw(st.integers(0, len(lines[number])))
        lines[number] = lines[number][:cut] + data.draw(st.sampled_from(["", "x", ":", " ", "=", "-1", "é", "99999"]))
    try:
        offer.read("\r\n".join(lines), "192.0.2.7")
    except offer.OfferError:
        return


@pytest.mark.parametrize(
    ("line", "peer", "kept"),
    [
        ("candidate:1 1 udp 21 192.0.2.9 5000 typ host", "", "192.0.2.9"),
        ("candidate:1 1 UDP 21 1f2e-3d.local 5000 typ host generation 0", "192.0.2.7", "192.0.2.7"),
        ("candidate:1 1 udp 21 1f2e-3d.local 5000 typ host", "not an address", None),
        ("candidate:1 1 udp 21 somewhere.example 5000 typ host", "192.0.2.7", None),
        ("candidate:1 1 tcp 21 192.0.2.9 9 typ host tcptype active", "", None),
        ("candidate:1 2 udp 21 192.0.2.9 5000 typ host", "", None),
        ("candidate:1 1 udp 21 192.0.2.9 70000 typ host", "", None),
        ("candidate:1 1 udp 21 2001:db8::1 5000 typ srflx raddr 0.0.0.0 rport 0", "", "2001:db8::1"),
    ],
)
def test_candidates(sample: str, line: str, peer: str, kept: str | None) -> None:
    head = "a=ice-ufrag:abcd\r\na=ice-pwd:x\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    fragment = offer.read_fragment(f"{head}a={line}\r\n", peer)
    assert [candidate.ip for candidate in fragment.candidates] == ([kept] if kept else [])
    assert fragment.username == "abcd"
    text = offer.read(sample + f"a={line}\r\na=end-of-candidates\r\n", peer).sdp
    assert text.count("a=candidate:") == (1 if kept else 0)
    assert ".local" not in text
    assert "end-of-candidates" not in text


@pytest.mark.parametrize("text", ["", "\x00", "a=candidate:1 1 udp", "a=ice-ufrag:aaaa\r\na=ice-ufrag:bbbb"])
def test_bad_fragments_are_refused(text: str) -> None:
    with pytest.raises(offer.OfferError):
        offer.read_fragment(text, "192.0.2.7")


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_torn_fragments_raise_nothing_else(data: st.DataObject) -> None:
    own = [RTCIceCandidate(1, "1", "192.0.2.1", 5000, 2130706431, "udp", "host")]
    whole = offer.write_fragment(("0", "1"), "audio", "abcd", "p" * 22, own)
    read = offer.read_fragment(whole, "192.0.2.7")
    assert offer.check_restart(read) == ("abcd", "p" * 22) and len(read.candidates) == 1
    lines = whole.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.integers(0, len(lines) - 1))
        cut = data.draw(st.integers(0, len(lines[number])))
        lines[number] = lines[number][:cut] + data.draw(st.text(max_size=6))
    try:
        offer.check_restart(offer.read_fragment("\r\n".join(lines), "192.0.2.7"))
    except offer.OfferError:
        return


MACHINE = {
    "lo": ["127.0.0.1", "::1"],
    "eth0": ["192.0.2.1", "2001:db8::1", "fe80::1"],
    "wlan0": ["198.51.100.1"],
}


@pytest.mark.parametrize(
    ("names", "peer", "chosen"),
    [
        ([], "192.0.2.9", ["192.0.2.1", "2001:db8::1", "198.51.100.1"]),
        ([], "127.0.0.1", ["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1", "198.51.100.1"]),
        ([], "::ffff:127.0.0.1", ["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1", "198.51.100.1"]),
        (["lo"], "192.0.2.9", ["127.0.0.1", "::1"]),
        (["wlan0"], "127.0.0.1", ["198.51.100.1"]),
        (["usb7"], "", []),
        ([], "", ["192.0.2.1", "2001:db8::1", "198.51.100.1"]),
    ],
)
def test_addresses_for_media(names: list[str], peer: str, chosen: list[str]) -> None:
    assert interfaces.choose(MACHINE, names, peer) == chosen
