"""Consent of a pair: aioice's own STUN and the vectors of RFC 5769 are the judges."""

from __future__ import annotations

from typing import Any

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from streaming import consent
from streaming.consent import LEAST_NS, MOST_NS, NS, Consent, Credentials

OURS = Credentials("kit4", "kit's password, secret", "brow", "the browser's password")
ADDRESS = ("192.0.2.7", 40001)
TIE_BREAKER = 0x0102030405060708
CHECK: dict[str, Any] = {"USERNAME": "kit4:brow", "PRIORITY": 7, "ICE-CONTROLLING": 9, "USE-CANDIDATE": None}
CONTROLLED: dict[str, Any] = {"ICE-CONTROLLING": "none", "ICE-CONTROLLED": 9}

VECTOR = Credentials("evtj", "VOkJxbRl1RmTxUk/WvJxBt", "h6vY", "VOkJxbRl1RmTxUk/WvJxBt")
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b1"
    "51263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599"
    "fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)


def begin(credentials: Credentials = OURS, address: tuple[str, int] = ADDRESS, **options: Any) -> Consent:
    return Consent(credentials, address, TIE_BREAKER, 0, **options)


def check(key: str = OURS.own_password, /, **changes: Any) -> bytes:
    """A check as a browser sends it, with other attributes ("none": without) when told."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes = {name: value for name, value in {**CHECK, **changes}.items() if value != "none"}
    message.add_message_integrity(key.encode())
    return bytes(message)


def answer_to(question: bytes, key: str = OURS.password, kind: stun.Class = stun.Class.RESPONSE) -> bytes:
    asked = stun.parse_message(question)
    message = stun.Message(stun.Method.BINDING, kind, asked.transaction_id)
    message.attributes = {"XOR-MAPPED-ADDRESS": ADDRESS}
    message.add_message_integrity(key.encode())
    return bytes(message)


@pytest.mark.parametrize("address", [ADDRESS, ("2001:db8::7", 65535), ("127.0.0.1", 1)])
def test_a_check_is_answered_as_aioice_would(address: tuple[str, int]) -> None:
    data = check()
    answer = begin(address=address).answer(data)
    assert answer is not None
    message = stun.parse_message(answer)  # raises when the fingerprint is wrong
    assert (message.message_method, message.message_class) == (stun.Method.BINDING, stun.Class.RESPONSE)
    assert message.transaction_id == stun.parse_message(data).transaction_id
    assert message.attributes["XOR-MAPPED-ADDRESS"] == address
    assert message.check_message_integrity(OURS.own_password.encode())


@pytest.mark.parametrize(
    "data",
    [
        check("another password"),
        check(USERNAME="kit4:other"),
        check(USERNAME="kit5:brow"),
        check(USERNAME="none"),
        check(OURS.own_password, **CONTROLLED),  # both would be controlled: for ICE to settle
        check(LIFETIME=1),  # one that must be understood
        check()[:-8].replace(b"\x00\x01", b"\x00\x11", 1),
        check()[:30],
        check() + bytes(4),
        answer_to(check()),
        b"",
        bytes(20),
    ],
)
def test_what_asks_for_more_than_an_answer_is_left_to_ice(data: bytes) -> None:
    assert begin().answer(data) is None


def test_what_comes_behind_the_integrity_does_not_count() -> None:
    data = check(USERNAME="none")
    name = b"\x00\x06\x00\x09kit4:brow\0\0\0"
    longer = len(data) - 20 + len(name)
    assert begin().answer(data[:2] + longer.to_bytes(2) + data[4:] + name) is None


def test_the_vectors_of_rfc_5769(monkeypatch: pytest.MonkeyPatch) -> None:
    assert begin(VECTOR).answer(REQUEST) is None  # it is of one that is controlled, as we are
    subject = begin(VECTOR, controlling=True)
    assert subject.answer(REQUEST) is not None
    monkeypatch.setattr(consent, "token_bytes", lambda _: REQUEST[8:20])
    assert not subject.confirms(RESPONSE)
    assert subject.question(MOST_NS) is not None
    assert not subject.confirms(RESPONSE[:-9] + b"\0" + RESPONSE[-8:])
    assert subject.confirms(RESPONSE)


@pytest.mark.parametrize(("controlling", "role"), [(False, "ICE-CONTROLLED"), (True, "ICE-CONTROLLING")])
def test_a_question_is_a_check(controlling: bool, role: str) -> None:
    question = begin(controlling=controlling).question(MOST_NS)
    assert question is not None
    message = stun.parse_message(question)
    assert (message.message_method, message.message_class) == (stun.Method.BINDING, stun.Class.REQUEST)
    known = {"USERNAME": "brow:kit4", "PRIORITY": 1862270975, role: TIE_BREAKER}
    assert {name: message.attributes.get(name) for name in known} == known
    assert "USE-CANDIDATE" not in message.attributes
    assert message.check_message_integrity(OURS.password.encode())


@given(st.randoms(use_true_random=False))
def test_it_is_asked_for_every_four_to_six_seconds(chance: Any) -> None:
    subject, asked = begin(chance=chance.uniform), list[int]()
    for now_ns in range(0, 100 * NS, NS):
        if subject.question(now_ns) is not None:
            asked.append(now_ns)
    pauses = {later - earlier for earlier, later in zip([0, *asked], asked, strict=False)}
    assert pauses <= {4 * NS, 5 * NS, 6 * NS}
    assert LEAST_NS < MOST_NS


def test_only_the_answer_to_the_last_question_confirms() -> None:
    subject = begin()
    first, second = subject.question(6 * NS), subject.question(12 * NS)
    assert first is not None and second is not None and first[8:20] != second[8:20]
    late, refused, forged = answer_to(first), answer_to(second, kind=stun.Class.ERROR), answer_to(second, "guessed")
    for data in (late, refused, forged, second, b"\x01\x01", answer_to(second)[:-4]):
        assert not subject.confirms(data)
    assert subject.confirms(answer_to(second))
    assert not subject.confirms(answer_to(second))  # again, from whoever has overheard it


@given(st.binary(max_size=200) | st.builds(lambda head, rest: head + rest, st.just(check()[:20]), st.binary()))
def test_bytes_that_are_no_check_are_left_alone(data: bytes) -> None:
    subject = begin()
    subject.question(MOST_NS)
    assert subject.answer(data) is None
    assert not subject.confirms(data)
