"""SDP offers and fragments: read, refused with OfferError, or answered; nothing else ever escapes."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from streaming import offer
from streaming.aiortc_private import NEGOTIATION_ERRORS, Peer
from streaming.lane import Ssrcs
from tests.fuzz import FUZZ
from tests.streaming.watcher import Watcher

HEAD = "a=ice-ufrag:abcd\r\na=ice-pwd:" + "p" * 22 + "\r\n"
CANDIDATE = "a=candidate:1 1 udp 2130706431 192.0.2.9 5000 typ host\r\n"
TOKENS = st.sampled_from(
    [
        "",
        "0",
        "-1",
        "65536",
        "9" * 5000,
        "١",
        "\u2028",
        "é",
        ":",
        "=",
        " ",
        "a=",
        "m=",
        "m=video 9 X",
        "/",
        "\r\n",
        "%",
        ";",
    ]
) | st.text(max_size=8)


async def browser_offer() -> str:
    watcher = Watcher()
    text = await watcher.offer()
    await watcher.close()
    return text


SAMPLE = asyncio.run(browser_offer()) + CANDIDATE


@st.composite
def torn(draw: st.DrawFn, whole: str) -> str:
    """`whole` with a few words replaced, lines lost, repeated or swapped."""
    lines = whole.splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["word", "word", "cut", "drop", "repeat", "swap"])):
            case "word":
                words = lines[at].split(" ")
                words[draw(st.integers(0, len(words) - 1))] = draw(TOKENS)
                lines[at] = " ".join(words)
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))] + draw(TOKENS)
            case "drop" if len(lines) > 1:
                del lines[at]
            case "repeat":
                lines.insert(at, lines[at])
            case _:
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
    return "\r\n".join(lines) + "\r\n"


SSRCS = {"video": Ssrcs.chosen(), "audio": Ssrcs.chosen()}


async def answer(wanted: offer.Offer) -> None:
    peer = Peer(wanted.kinds, SSRCS, on_ready=lambda _: None, on_rtcp=lambda _: None, on_gone=lambda: None)
    try:
        with suppress(*NEGOTIATION_ERRORS):
            await peer.answer(wanted, ["127.0.0.1"])
    finally:
        await peer.close()


@given(text=st.text() | torn(SAMPLE), publishes=st.booleans())
@FUZZ
def test_offers(text: str, publishes: bool) -> None:
    with suppress(offer.OfferError):
        offer.read(text, "127.0.0.1", publishes=publishes)


@given(text=torn(SAMPLE))
@FUZZ
def test_offers_that_can_be_read_are_answered_or_refused(text: str) -> None:
    with suppress(offer.OfferError):
        asyncio.run(answer(offer.read(text, "127.0.0.1")))


@given(text=st.text() | torn(HEAD + CANDIDATE * 3))
@FUZZ
def test_fragments(text: str) -> None:
    with suppress(offer.OfferError):
        offer.check_restart(offer.read_fragment(text, "127.0.0.1"))
