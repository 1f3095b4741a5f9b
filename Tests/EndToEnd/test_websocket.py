"""RFC 6455 rule by rule, against the echo of `--diagnostics`: what it says back, and how it ends a connection.

Covers the ground of the Autobahn test suite's sections 1 to 7, 9 and 10, which `./dev conformance` runs where there is
a CPython 2.7. Faulty frames on the hub's own socket are in test_bad_frames.py.
"""

import random
import struct

import pytest

from hub_process import Hub
from raw_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawConnection, frame

MESSAGE_MAX = 4 << 20
SIZES = [0, 1, 7, 8, 125, 126, 127, 128, 65_535, 65_536, 65_537, MESSAGE_MAX]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    config = {"limits": {"web_socket_message_bytes_max": MESSAGE_MAX}}
    hub = Hub(tmp_path_factory.mktemp("websocket"), "--diagnostics", config=config)
    yield hub
    assert hub.stop() == 0, hub.stderr


@pytest.fixture
def echo(hub):
    with RawConnection(hub) as connection:
        assert connection.upgrade(path="/ws/echo", Sec_WebSocket_Protocol=None).status == 101
        yield connection


def close_payload(code, reason=b""):
    return struct.pack(">H", code) + reason


def end(echo):
    """Ends a connection that is well."""
    echo.send_frame(CLOSE, close_payload(1000))
    assert echo.next_frame() == (CLOSE, close_payload(1000))
    assert echo.is_closed()


def text_of(size):
    """So many bytes, with characters of every length in them."""
    words = "aß€😀 ".encode()
    return words * (size // len(words)) + b"." * (size % len(words))


# --- Sections 5.2 and 5.6: lengths, and the two kinds of data -------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_messages_of_every_kind_of_length_come_back(echo, size):
    for opcode, payload in ((TEXT, text_of(size)), (BINARY, random.Random(size).randbytes(size))):
        echo.send_frame(opcode, payload)
        assert echo.next_frame() == (opcode, payload)
    end(echo)


@pytest.mark.parametrize("cut", [1, 2, 3, 13, 997])
def test_frames_are_read_however_tcp_cuts_them(echo, cut):
    size = 300 if cut < 13 else 70_000
    stream = frame(BINARY, b"b" * size) + frame(PING, b"p") + frame(TEXT, text_of(size))
    for start in range(0, len(stream), cut):
        echo.send(stream[start:start + cut])
    assert [echo.next_frame() for _ in range(3)] == [(BINARY, b"b" * size), (PONG, b"p"), (TEXT, text_of(size))]
    end(echo)


def test_a_message_one_byte_over_the_limit_ends_the_connection_at_its_header(echo):
    echo.send(frame(BINARY, b"", length=MESSAGE_MAX + 1))
    assert echo.close_code() == 1009 and echo.is_closed()


# --- Section 5.5: control frames ------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"Hello", bytes([0, 255, 254, 253]), b"x" * 125])
def test_a_ping_is_answered_by_a_pong_with_the_same_bytes(echo, payload):
    echo.send_frame(PING, payload)
    assert echo.next_frame() == (PONG, payload)
    end(echo)


def test_pings_are_answered_in_order_and_pongs_are_not_answered(echo):
    echo.send_frame(PONG, b"nobody asked")
    for number in range(10):
        echo.send_frame(PING, b"%d" % number)
    assert [echo.next_frame() for _ in range(10)] == [(PONG, b"%d" % number) for number in range(10)]
    end(echo)


# --- Section 5.4: fragments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("pieces", [
    [b"a", b"b"], [b"", b""], [b"", b"ab", b""], [b"a"] * 50, [b"\xe2", b"\x82", b"\xac"], [b"x" * 1000] * 1000])
def test_fragments_are_one_message_with_control_frames_between_them(echo, opcode, pieces):
    last = len(pieces) - 1
    for index, piece in enumerate(pieces):
        echo.send_frame(opcode if index == 0 else CONTINUATION, piece, fin=index == last)
        if index < min(last, 5):
            echo.send_frame(PING, b"%d" % index)
            assert echo.next_frame() == (PONG, b"%d" % index)
    assert echo.next_frame() == (opcode, b"".join(pieces))
    end(echo)


WHOLE = frame(TEXT, b"whole")
FAULTS = {
    "a continuation of nothing": frame(CONTINUATION, b"a"),
    "an unfinished continuation of nothing": frame(CONTINUATION, b"a", fin=False),
    "a continuation behind a whole message": WHOLE + frame(CONTINUATION, b"a"),
    "a text inside a text": frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
    "a binary inside a text": frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"),
    "a fragmented ping": frame(PING, b"a", fin=False),
    "a fragmented close": frame(CLOSE, b"", fin=False),
    "a ping of 126 bytes": frame(PING, b"a" * 126),
    "a close of 126 bytes": frame(CLOSE, close_payload(1000, b"a" * 124)),
    "an unmasked text": frame(TEXT, b"a", masked=False),
    "a length that is not the shortest": b"\x82\xfe\x00\x7d" + bytes(4),
    "a long length that is not the shortest": b"\x82\xff" + struct.pack(">Q", 65_535) + bytes(4),
    "a length of 2^63": b"\x82\xff" + struct.pack(">Q", 1 << 63) + bytes(4),
    **{f"reserved bits {bits}": frame(TEXT, b"a", reserved=bits) for bits in range(1, 8)},
    **{f"reserved bits {bits} in a ping": frame(PING, b"a", reserved=bits) for bits in (1, 2, 4)},
    **{f"opcode {opcode}": frame(opcode, b"a") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
}


@pytest.mark.parametrize("before", ["first", "behind a message", "in single bytes"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_frame_against_the_rules_ends_the_connection(echo, name, before):
    stream = FAULTS[name] + frame(TEXT, b"never read")
    if before == "behind a message":
        echo.send(WHOLE)
        assert echo.next_frame() == (TEXT, b"whole")
    for piece in [stream[i:i + 1] for i in range(len(stream))] if before == "in single bytes" else [stream]:
        echo.send(piece)
    frames = []
    while not frames or frames[-1][0] != CLOSE:
        frames.append(echo.next_frame())
    assert struct.unpack(">H", frames[-1][1][:2]) == (1002,)
    assert (TEXT, b"never read") not in frames and echo.is_closed()


# --- Section 8.1: UTF-8 ---------------------------------------------------------------------------------------------

GOOD_TEXTS = [
    "κόσμε", "\0", "\x7f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\ufffe", "\uffff", "\ufeff",
    "\ufdd0", "\U00010000", "\U0001fffe", "\U0010ffff", "Hello-µ@ßöäüàá-UTF-8!!",
]
# Each with how many of its bytes begin some text.
BAD_TEXTS = [
    (b"\x80", 0), (b"\xbf\x80", 0), (b"\xc0\xaf", 0), (b"\xc1\xbf", 0), (b"\xe0\x80\xaf", 1), (b"\xe0\x9f\xbf", 1),
    (b"\xf0\x80\x80\xaf", 1), (b"\xf0\x8f\xbf\xbf", 1), (b"\xed\xa0\x80", 1), (b"\xed\xbf\xbf", 1),
    (b"\xed\xa0\x80\xed\xb0\x80", 1), (b"\xf4\x90\x80\x80", 1), (b"\xf5\x80\x80\x80", 0), (b"\xf8\x88\x80\x80\x80", 0),
    (b"\xfe", 0), (b"\xff", 0), (b"\xc3(", 1), (b"\xe2\x82(", 2), (b"\xf0\x9f\x98(", 3),
    ("κόσμε".encode() + b"\xed\xa0\x80edited", len("κόσμε".encode()) + 1),
]


@pytest.mark.parametrize("text", GOOD_TEXTS, ids=ascii)
def test_text_of_every_length_of_character_comes_back(echo, text):
    payload = text.encode()
    for size in (len(payload), 1, 2):
        pieces = [payload[i:i + size] for i in range(0, len(payload), size)]
        for index, piece in enumerate(pieces):
            echo.send_frame(TEXT if index == 0 else CONTINUATION, piece, fin=index == len(pieces) - 1)
        assert echo.next_frame() == (TEXT, payload)
    end(echo)


@pytest.mark.parametrize("text, good", BAD_TEXTS, ids=repr)
def test_what_is_no_text_ends_the_connection_at_the_first_such_byte(hub, echo, text, good):
    echo.send_frame(TEXT, b"before " + text)
    assert echo.close_code() == 1007 and echo.is_closed()
    with RawConnection(hub) as fast:
        assert fast.upgrade(path="/ws/echo", Sec_WebSocket_Protocol=None).status == 101
        fast.send_frame(TEXT, text[:good], fin=False)
        fast.send_frame(PING, b"so far")
        assert fast.next_frame() == (PONG, b"so far")
        # Of a frame that announces 100 bytes, the one that no text could have here.
        fast.send(frame(CONTINUATION, text[good:good + 1], length=100))
        assert fast.close_code() == 1007 and fast.is_closed()


@pytest.mark.parametrize("text", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"a\xf0"])
def test_a_text_that_ends_inside_a_character_ends_the_connection(echo, text):
    echo.send_frame(TEXT, text)
    assert echo.close_code() == 1007 and echo.is_closed()


# --- Section 7: closing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
def test_a_close_is_answered_with_its_code(echo, code):
    echo.send(frame(CLOSE, close_payload(code, "Tschüß".encode())) + frame(TEXT, b"never read"))
    assert echo.close_code() == code and echo.is_closed()


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
def test_a_close_with_a_code_that_means_nothing_is_a_fault(echo, code):
    echo.send_frame(CLOSE, close_payload(code))
    assert echo.close_code() == 1002 and echo.is_closed()


@pytest.mark.parametrize("payload, code", [
    (b"", 1000), (b"\x03", 1002), (close_payload(1000, b"x" * 123), 1000),
    (close_payload(1000, b"\xce\xba\xe1"), 1007)])
def test_a_close_with_little_or_much_in_it(echo, payload, code):
    echo.send_frame(CLOSE, payload)
    assert echo.close_code() == code and echo.is_closed()


def test_an_unfinished_message_before_a_close_is_dropped(echo):
    echo.send_frame(TEXT, b"half", fin=False)
    end(echo)


def test_pings_before_a_close_are_answered_and_behind_it_not(echo):
    echo.send(frame(PING, b"1") + frame(CLOSE, close_payload(1000)) + frame(PING, b"2"))
    assert echo.next_frame() == (PONG, b"1")
    assert echo.close_code() == 1000 and echo.is_closed()
