"""Bad handshakes, WebSocket frames and JSON frames: each gets the code the documents name, and the hub serves on."""

import json
import pathlib
import struct

import pytest

from chat_client import ChatClient
from hub_process import REPOSITORY, Hub
from raw_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawConnection, frame

MESSAGE_MAX = 256 * 1024
TEXT_MAX = 32 * 1024
FRAMES = REPOSITORY / "Protocol/frames"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("bad-frames"), "--synthetic")
    yield hub
    assert hub.stop() == 0, hub.stderr


@pytest.fixture(scope="module")
def good_client(hub):
    with ChatClient(hub, "good") as client:
        yield client, hub.create_room("good")


@pytest.fixture(autouse=True)
def the_hub_serves_others_afterwards(hub, good_client):
    yield
    client, room_id = good_client
    assert client.ask("get-room", room_id=room_id)["room"]["room_id"] == room_id


@pytest.fixture
def raw(hub):
    """A connection after its handshake."""
    with RawConnection(hub) as connection:
        assert connection.upgrade().status == 101
        connection.next_json("welcome")
        yield connection


HANDSHAKES = {
    "no upgrade": ({"Upgrade": None, "Connection": None}, 426),
    "another upgrade": ({"Upgrade": "h2c"}, 426),
    "no connection token": ({"Connection": "keep-alive"}, 426),
    "HTTP/1.0": ({"version": "1.0"}, 426),
    "no version": ({"Sec_WebSocket_Version": None}, 426),
    "version 8": ({"Sec_WebSocket_Version": "8"}, 426),
    "no key": ({"Sec_WebSocket_Key": None}, 400),
    "key too short": ({"Sec_WebSocket_Key": "YWJj"}, 400),
    "key is no Base64": ({"Sec_WebSocket_Key": "?" * 24}, 400),
    "POST": ({"method": "POST"}, 405),
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_a_faulty_handshake_is_refused(hub, name):
    changes, status = HANDSHAKES[name]
    with RawConnection(hub) as connection:
        response = connection.upgrade(**changes)
        assert response.status == status
        if status == 426:
            assert response.headers["upgrade"] == "websocket"
            assert response.headers["sec-websocket-version"] == "13"


def test_the_handshake_selects_the_subprotocol_and_never_echoes_a_token(hub):
    with RawConnection(hub) as connection:
        response = connection.upgrade(Sec_WebSocket_Protocol="bearer.secret, hubbub.v1, other")
        assert response.status == 101 and response.headers["sec-websocket-protocol"] == "hubbub.v1"
        assert connection.next_json("welcome")["user_id"] == "anonymous"


def test_a_bad_user_id_is_refused(hub):
    with RawConnection(hub) as connection:
        assert connection.upgrade(path="/ws?user_id=a%20b").status == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_another_origins_page_is_told_not_to_come_back(hub, origin):
    with RawConnection(hub) as connection:
        assert connection.upgrade(Origin=origin).status == 101
        assert connection.close_code() == 4201


def test_the_own_page_and_listed_origins_are_welcome(hub, start_hub):
    with RawConnection(hub) as connection:
        assert connection.upgrade(Origin=hub.url).status == 101
        assert connection.next_json("welcome")
    other = start_hub("--origins", "https://example.org")
    with RawConnection(other) as connection:
        assert connection.upgrade(Origin="https://example.org").status == 101
        assert connection.next_json("welcome")


def close_payload(code, reason=b""):
    return struct.pack(">H", code) + reason


PING_JSON = b'{"type": "ping", "id": "1"}'
FAULTS = {
    "unmasked": (frame(TEXT, PING_JSON, masked=False), 1002),
    "reserved bit 1": (frame(TEXT, PING_JSON, reserved=4), 1002),
    "reserved bit 2": (frame(TEXT, PING_JSON, reserved=2), 1002),
    "reserved bit 3": (frame(TEXT, PING_JSON, reserved=1), 1002),
    "reserved data opcode": (frame(3, b"a"), 1002),
    "reserved control opcode": (frame(11, b"a"), 1002),
    "fragmented ping": (frame(PING, b"a", fin=False), 1002),
    "ping of 126 bytes": (frame(PING, b"a" * 126), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"a"), 1002),
    "text within a text": (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002),
    "length in more bytes than needed": (b"\x81\xfe\x00\x05" + b"\0\0\0\0hello", 1002),
    "length with its top bit set": (b"\x81\xff" + b"\xff" * 8 + b"\0" * 4, 1002),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close with 1005": (frame(CLOSE, close_payload(1005)), 1002),
    "close with 999": (frame(CLOSE, close_payload(999)), 1002),
    "close with a bad reason": (frame(CLOSE, close_payload(1000, b"\xff")), 1007),
    "bad UTF-8": (frame(TEXT, b'{"type": "\xff"}'), 1007),
    "overlong UTF-8": (frame(TEXT, b"\xc0\xaf"), 1007),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "cut-off UTF-8": (frame(TEXT, "ü".encode()[:1]), 1007),
    "bad UTF-8 before the message's end": (frame(TEXT, b"a\xffb", fin=False), 1007),
    "binary": (frame(BINARY, PING_JSON), 1003),
    "one byte too many": (frame(TEXT, b" " * (MESSAGE_MAX + 1)), 1009),
    "too many bytes announced": (frame(TEXT, b"", length=1 << 40), 1009),
    "too many bytes in pieces": (
        frame(TEXT, b" " * MESSAGE_MAX, fin=False) + frame(CONTINUATION, b" "), 1009),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_frame_closes_the_connection_with_the_rfcs_code(raw, name):
    data, code = FAULTS[name]
    raw.send(data)
    assert raw.close_code() == code


def test_a_message_at_the_limit_is_read(raw):
    for data in (
        frame(TEXT, PING_JSON + b" " * (MESSAGE_MAX - len(PING_JSON))),
        frame(TEXT, PING_JSON, fin=False) + frame(CONTINUATION, b" " * (MESSAGE_MAX - len(PING_JSON))),
    ):
        raw.send(data)
        assert raw.next_json("pong")["id"] == "1"


def test_fragments_control_frames_between_them_and_single_bytes_are_read(raw):
    pieces = [frame(TEXT, PING_JSON[:9], fin=False), frame(PING, b"between"), frame(CONTINUATION, b"", fin=False),
              frame(CONTINUATION, PING_JSON[9:])]
    raw.send(b"".join(pieces))
    assert raw.next_frame() == (PONG, b"between")
    assert raw.next_json("pong")["id"] == "1"
    for byte in b"".join(pieces):
        raw.send(bytes([byte]))
    assert raw.next_frame() == (PONG, b"between")
    assert raw.next_json("pong")["id"] == "1"


def test_a_close_is_answered_and_the_connection_ended(raw):
    raw.send_frame(CLOSE, close_payload(1000, b"bye"))
    assert raw.close_code() == 1000
    assert raw.is_closed()


def test_bytes_right_behind_the_handshake_are_frames(hub):
    with RawConnection(hub) as connection:
        head = (f"GET /ws HTTP/1.1\r\nHost: {hub.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        assert connection.request(head.encode() + frame(TEXT, PING_JSON)).status == 101
        assert connection.next_json("pong")["id"] == "1"


def golden(pattern):
    return sorted(path.name for path in (FRAMES / pattern).parent.glob(pathlib.Path(pattern).name))


@pytest.mark.parametrize("name", golden("invalid/*.json"))
def test_a_golden_invalid_frame_gets_its_code_and_the_connection_lives_on(raw, name):
    expected = json.loads((FRAMES / "expected.json").read_text())[name]
    raw.send_frame(TEXT, (FRAMES / "invalid" / name).read_bytes())
    error = raw.next_json("error")
    field = expected.pop("field", None)
    assert {key: error.get(key) for key in expected} == expected
    assert field is None or f"`{field}`" in error["message"], error["message"]
    raw.send_frame(TEXT, PING_JSON)
    assert raw.next_json("pong")


@pytest.mark.parametrize("name", golden("valid/client-*.json"))
def test_a_golden_valid_frame_is_understood(raw, name):
    """None of its rooms exists: whatever is understood is done, not there, or not in this version."""
    value = json.loads((FRAMES / "valid" / name).read_text())
    raw.send_frame(TEXT, json.dumps(value).encode())
    answer = raw.next_json("ack", "error", "pong")
    if value["type"] == "auth":
        assert answer["code"] == "NOT_IMPLEMENTED", answer
    elif value["type"] in ("create-room", "list-rooms", "ping"):
        assert answer["type"] != "error", answer
    else:
        assert answer["code"] == "NOT_FOUND", answer
    assert answer.get("id") == value.get("id")


def test_a_text_at_its_limit_is_taken_and_one_byte_more_is_not(good_client):
    client, room_id = good_client
    client.join(room_id)
    for text in ("a" * TEXT_MAX, "ü" * (TEXT_MAX // 2)):
        ack = client.ask("send", room_id=room_id, text=text)
        client.wait("stream-ended", stream_id=ack["stream_id"])
        assert client.wait("message", exchange_id=ack["exchange_id"])["text"] == text
        error = client.refusal("send", room_id=room_id, text=text + "a", message_id="again")
        assert error["code"] == "MESSAGE_TOO_LARGE" and str(TEXT_MAX) in error["message"]
    assert client.ask("send", room_id=room_id, text="Short", message_id="again")["type"] == "ack"


@pytest.mark.parametrize("type, fields", [
    ("join", {"room_id": "room_none"}), ("leave", {"room_id": "room_none"}), ("get-room", {"room_id": "room_none"}),
    ("update-room", {"room_id": "room_none", "room_name": "a"}), ("delete-room", {"room_id": "room_none"}),
    ("send", {"room_id": "room_none", "text": "a"}), ("cancel", {"room_id": "room_none"}),
    ("cancel", {"stream_id": "stream_none"}), ("cancel", {"session_id": "session_none"}),
    ("cancel", {"stream_id": "stream_ffffdeadbeef"}), ("cancel", {"session_id": "session_zzzz"}),
    ("history", {"room_id": "room_none"}), ("get-room", {"room_id": "../etc/passwd"}),
    ("get-room", {"room_id": "a" * 65}), ("get-room", {"room_id": "' OR 1=1 --"}),
])
def test_what_does_not_exist_is_not_found(good_client, type, fields):
    client, _ = good_client
    assert client.refusal(type, **fields)["code"] == "NOT_FOUND"


@pytest.mark.parametrize("fields, code", [
    ({"agent_type": "nobody"}, ("VALIDATION_ERROR", "NOT_FOUND")),
    ({"session_id": "session_none"}, ("NOT_FOUND",)),
    ({"message_id": "a" * 65}, ("VALIDATION_ERROR",)),
    ({"metadata": {"a": "b" * 10_240}}, ("VALIDATION_ERROR",)),
])
def test_a_send_to_nobody_is_refused(good_client, fields, code):
    client, room_id = good_client
    assert client.refusal("send", room_id=room_id, text="Hello", **fields)["code"] in code


@pytest.mark.parametrize("id, answered", [("a" * 64, "a" * 64), ("ü" * 64, "ü" * 64), ("a" * 65, None), (7, None)])
def test_a_frames_id_comes_back_if_it_is_one(raw, id, answered):
    raw.send_frame(TEXT, json.dumps({"type": "ping", "id": id}).encode())
    answer = raw.next_json("pong", "error")
    assert answer.get("id") == answered
    assert answer["type"] == "pong" if answered else answer["code"] == "VALIDATION_ERROR"


def test_one_join_of_many_rooms_is_answered_room_by_room(hub, good_client):
    client, _ = good_client
    rooms = [hub.create_room("many", f"Room {number}") for number in range(3)]
    asked = [{"room_id": room_id} for room_id in [*rooms, "room_none"]]
    mark = len(client.frames)
    client.post("join", rooms=asked)
    for room_id in rooms:
        assert client.wait("joined", since=mark, room_id=room_id)["recovered"] is False
    assert client.wait("error", since=mark, room_id="room_none")["code"] == "NOT_FOUND"
    error = client.refusal("join", rooms=[{"room_id": f"room_{number}"} for number in range(101)])
    assert error["code"] == "VALIDATION_ERROR"


def test_a_user_may_hold_so_many_sockets_and_no_more(start_hub, open_client):
    hub = start_hub(config={"limits": {"sockets_per_user": 2}})
    first, _ = open_client(hub, "ann"), open_client(hub, "ann")
    with RawConnection(hub) as connection:
        assert connection.upgrade(path="/ws?user_id=ann").status == 101
        assert connection.close_code() == 4202
    open_client(hub, "ben")
    first.close()


def test_a_slow_handshake_disturbs_nobody(hub, open_client):
    slow = [RawConnection(hub) for _ in range(50)]
    try:
        for connection in slow:
            connection.send(b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: webso")
        open_client(hub).catch_up()
    finally:
        for connection in slow:
            connection.__exit__()
