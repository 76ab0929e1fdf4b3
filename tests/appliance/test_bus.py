"""The bus: a reader that returns finds its publisher, a refusal reaches the caller, silence is an error."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from appliance import bus
from appliance.messages import (
    AudioFormat,
    CloseViewers,
    Command,
    Done,
    Packet,
    Reply,
    RequestKeyframe,
    StopLesson,
    ViewersState,
)


def packet(seq: int) -> Packet:
    return Packet("microphone", "opus", "opus", 1, seq, seq * 20_000_000, 20_000_000, True, AudioFormat(48000, 1), b"x")


def received(subscriber: bus.Subscriber, publisher: bus.Publisher) -> Packet:
    """The first packet that arrives; a subscription takes a moment to reach the publisher."""
    for seq in range(500):
        publisher.send(packet(seq))
        message = subscriber.receive(0.02)
        if isinstance(message, Packet):
            return message
    raise AssertionError("nothing arrived")


def test_topics_select_tracks_and_a_restarted_publisher_is_found(tmp_path: Path) -> None:
    subscriber = bus.Subscriber(tmp_path, ["capture"], [bus.media_topic("microphone/opus")], queue=10)
    for _ in range(2):
        publisher = bus.Publisher(tmp_path, "capture")
        publisher.send(ViewersState(0, 0, []))
        assert received(subscriber, publisher).data == b"x"
        publisher.close()
    subscriber.close()


def test_a_slow_reader_loses_packets_and_never_holds_the_producer(tmp_path: Path) -> None:
    publisher = bus.Publisher(tmp_path, "capture", queue=10)
    subscriber = bus.Subscriber(tmp_path, ["capture"], [bus.MEDIA_TOPIC], queue=10)
    first = received(subscriber, publisher)
    for seq in range(20_000):
        publisher.send(packet(first.seq + 1 + seq))
    kept = [message.seq for message in subscriber if isinstance(message, Packet)]
    assert kept == sorted(kept)
    assert len(kept) < 20_000
    publisher.close()
    subscriber.close()


def handle(command: Command) -> Reply:
    if isinstance(command, RequestKeyframe):
        raise bus.CommandRefused("not_found", f"there is no track {command.track}")
    if isinstance(command, CloseViewers):
        raise ZeroDivisionError("a bug")
    return Done()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    stopping = threading.Event()
    commands = bus.CommandServer(tmp_path, "capture", handle)
    thread = threading.Thread(target=commands.serve, args=(stopping,))
    thread.start()
    yield tmp_path
    stopping.set()
    thread.join()


def test_a_refusal_is_an_exception_with_its_kind(server: Path) -> None:
    with pytest.raises(bus.CommandRefused, match="no track screen") as caught:
        bus.call(server, "capture", RequestKeyframe("screen"))
    assert caught.value.kind == "not_found"


def test_a_bug_in_a_handler_is_told_and_survived(server: Path) -> None:
    for _ in range(2):
        with pytest.raises(bus.CommandRefused, match="ZeroDivisionError") as caught:
            bus.call(server, "capture", CloseViewers())
        assert caught.value.kind == "internal"


def test_a_service_that_is_away_is_a_bus_error(tmp_path: Path) -> None:
    with pytest.raises(bus.BusError, match="lessons service did not answer"):
        bus.call(tmp_path, "lessons", CloseViewers(), timeout_s=0.05)


def test_a_command_goes_to_the_next_process_when_the_first_died_with_it(tmp_path: Path) -> None:
    def first_dies() -> None:
        for answer in (None, bus.encode_reply(Done())):
            socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REP)
            with socket:
                socket.bind(bus.address(tmp_path, "lessons", "cmd"))
                assert bus.decode_command(socket.recv()) == CloseViewers()
                if answer:
                    socket.send(answer)

    service = threading.Thread(target=first_dies)
    service.start()
    assert bus.call(tmp_path, "lessons", CloseViewers()) == Done()
    service.join()


def test_who_has_others_to_ask_does_not_wait_for_a_process_that_is_away(server: Path, tmp_path: Path) -> None:
    assert bus.call(server, "capture", StopLesson("a"), absent_s=5) == Done()
    began = time.monotonic()
    with pytest.raises(bus.ServiceAbsent):
        bus.call(tmp_path, "streaming-2", CloseViewers(), absent_s=0.05)
    assert time.monotonic() - began < 2


def test_a_process_that_dies_with_a_command_is_away(tmp_path: Path) -> None:
    def dies() -> None:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REP)
        with socket:
            socket.bind(bus.address(tmp_path, "streaming-2", "cmd"))
            socket.recv()

    service = threading.Thread(target=dies)
    service.start()
    with pytest.raises(bus.ServiceAbsent):
        bus.call(tmp_path, "streaming-2", CloseViewers(), absent_s=1)
    service.join()


def test_foreign_bytes_are_refused_as_invalid() -> None:
    assert getattr(bus.answer(handle, b"\xc1garbage"), "kind", None) == "invalid"
