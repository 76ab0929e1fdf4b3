"""Chains of lines: what is torn, garbled, missing or changed shows, and costs no other line."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.lines import frame, read_chain, whole


def chained(*words: str) -> list[bytes]:
    lines: list[bytes] = []
    for number, word in enumerate(words, 1):
        before = hashlib.sha256(lines[-1][:-1]).hexdigest() if lines else ""
        lines.append(frame(number, msgspec.json.encode({"word": word, "previous": before})))
    return lines


LINES = chained("one", "two", "three", "four")


def words(data: bytes) -> list[str]:
    return [msgspec.json.decode(link.json)["word"] for link in read_chain(data).links]


def test_a_chain_is_whole() -> None:
    data = b"".join(LINES)
    chain = read_chain(data)
    assert words(data) == ["one", "two", "three", "four"]
    assert (chain.good, chain.broken, chain.next_number) == (len(data), [], 5)
    assert chain.head == hashlib.sha256(LINES[-1][:-1]).hexdigest()
    assert read_chain(b"") == ([], 0, []) and read_chain(b"").next_number == 1


@pytest.mark.parametrize("torn", [LINES[3][:-1], b"\0" * 300, b"x\n\n", b"ffffffff 4 {}\n"])
def test_what_is_torn_at_the_end_is_not_taken(torn: bytes) -> None:
    data = b"".join(LINES[:3])
    chain = read_chain(data + torn)
    assert (chain.good, chain.broken, len(chain.links)) == (len(data), [], 3)


def test_a_garbled_line_costs_no_other_one_and_shows() -> None:
    garbled = LINES[1].replace(b"two", b"TWO")
    chain = read_chain(LINES[0] + garbled + LINES[2] + LINES[3])
    assert [link.number for link in chain.links] == [1, 3, 4]
    assert chain.broken == [3]


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        ([LINES[0], LINES[2], LINES[3]], [3]),
        ([LINES[1], LINES[0]], [2, 1]),
        ([*LINES, LINES[3]], [4]),
        ([LINES[0], frame(2, b'{"word":"forged","previous":""}'), LINES[2]], [2, 3]),
        ([LINES[0], frame(2, b'{"word":"forged"}')], [2]),
        ([frame(1, b"no json")], [1]),
    ],
)
def test_lines_taken_out_put_in_or_changed_show(lines: list[bytes], broken: list[int]) -> None:
    assert read_chain(b"".join(lines)).broken == broken


@given(st.data())
def test_any_other_byte_shows(data: st.DataObject) -> None:
    """A byte of a line that others follow, changed with its checksum or without."""
    number = data.draw(st.integers(0, 2))
    line = bytearray(LINES[number])
    at = data.draw(st.integers(11, len(line) - 2))
    line[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte not in (line[at], 10)))
    bodies = line[11:-1] if data.draw(st.booleans()) else None
    changed = frame(number + 1, bytes(bodies)) if bodies is not None else bytes(line)
    chain = read_chain(b"".join([*LINES[:number], changed, *LINES[number + 1 :]]))
    assert chain.broken


@given(st.binary(max_size=400))
def test_nothing_raises(data: bytes) -> None:
    assert read_chain(data).good <= len(data)
    whole(data)


def test_a_number_of_any_length_is_no_number() -> None:
    assert read_chain(frame(10**20, b"{}")).links == []
