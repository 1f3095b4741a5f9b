"""`/ws/echo` of `--diagnostics`: whatever way a message comes, it goes back whole (RFC 6455)."""

import struct
import threading

import pytest

from hub_process import Hub
from raw_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawConnection, frame

MESSAGE_MAX = 256 * 1024
SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, MESSAGE_MAX]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("echo"), "--diagnostics")
    yield hub
    assert hub.stop() == 0, hub.stderr


@pytest.fixture
def echo(hub):
    with RawConnection(hub) as connection:
        assert connection.upgrade(path="/ws/echo", Sec_WebSocket_Protocol=None).status == 101
        yield connection


def payload(opcode, size):
    """For texts, characters of one to four bytes."""
    if opcode == BINARY:
        return bytes(number * 7 & 255 for number in range(size))
    text = ("aü€😀" * (size // 10 + 1)).encode()[:size]
    whole = text.decode(errors="ignore").encode()
    return whole + b"." * (size - len(whole))


def fragments(opcode, data, size):
    pieces = [data[start:start + size] for start in range(0, len(data), size)] or [b""]
    for number, piece in enumerate(pieces):
        yield frame(opcode if number == 0 else CONTINUATION, piece, fin=number == len(pieces) - 1)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", SIZES)
def test_a_message_comes_back_as_it_went(echo, opcode, size):
    data = payload(opcode, size)
    echo.send_frame(opcode, data)
    assert echo.next_frame() == (opcode, data)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size, piece", [(40, 1), (1_000, 3), (65_536, 1_300), (MESSAGE_MAX, 65_536)])
def test_fragments_come_back_as_one_frame_wherever_they_are_cut(echo, opcode, size, piece):
    data = payload(opcode, size)
    for part in fragments(opcode, data, piece):
        echo.send(part)
    assert echo.next_frame() == (opcode, data)


def test_empty_fragments_are_nothing(echo):
    parts = [(TEXT, b""), (CONTINUATION, b"a"), (CONTINUATION, b""), (CONTINUATION, b"b")]
    echo.send(b"".join(frame(opcode, data, fin=False) for opcode, data in parts) + frame(CONTINUATION, b""))
    assert echo.next_frame() == (TEXT, b"ab")


def test_a_ping_between_fragments_is_answered_before_their_message(echo):
    echo.send(frame(TEXT, b"\xc3", fin=False) + frame(PING, b"now") + frame(PONG, b"unasked"))
    assert echo.next_frame() == (PONG, b"now")
    echo.send(frame(CONTINUATION, b"\xbc"))
    assert echo.next_frame() == (TEXT, b"\xc3\xbc")


def test_a_frame_may_come_byte_by_byte(echo):
    data = payload(TEXT, 200)
    for byte in frame(TEXT, data):
        echo.send(bytes([byte]))
    assert echo.next_frame() == (TEXT, data)


def test_many_messages_at_once_come_back_in_order(echo):
    messages = [(TEXT if number % 2 else BINARY, str(number).encode()) for number in range(5_000)]
    sender = threading.Thread(target=echo.send, args=[b"".join(frame(*message) for message in messages)])
    sender.start()
    assert [echo.next_frame() for _ in messages] == messages
    sender.join()


def test_a_client_that_does_not_read_stops_being_read_and_loses_nothing(echo):
    data = payload(BINARY, MESSAGE_MAX)
    sender = threading.Thread(target=lambda: [echo.send_frame(BINARY, data) for _ in range(100)])
    sender.start()
    sender.join(1)
    assert sender.is_alive(), "25 MiB were taken although nothing was read"
    for _ in range(100):
        assert echo.next_frame() == (BINARY, data)
    sender.join()


FAULTS = {
    "unmasked": (frame(TEXT, b"a", masked=False), 1002),
    "a reserved bit": (frame(TEXT, b"a", reserved=4), 1002),
    "a message within a message": (frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"a"), 1002),
    "bad UTF-8 in fragments": (frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"a"), 1007),
    "cut-off UTF-8": (frame(TEXT, b"\xe2", fin=False) + frame(CONTINUATION, b"\x82"), 1007),
    "too much in fragments": (frame(BINARY, b"a" * MESSAGE_MAX, fin=False) + frame(CONTINUATION, b"b"), 1009),
    "the peer's own code": (frame(CLOSE, struct.pack(">H", 3000) + b"bye"), 3000),
    "no code": (frame(CLOSE), 1000),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_came_before_an_end_comes_back_before_it(echo, name):
    data, code = FAULTS[name]
    echo.send(frame(TEXT, b"first") + data)
    assert echo.next_frame() == (TEXT, b"first")
    assert echo.close_code() == code
    assert echo.is_closed()
