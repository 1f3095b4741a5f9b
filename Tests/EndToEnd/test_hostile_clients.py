"""Clients that mean harm, or know no better: what they do costs the hub a bounded price, and others nothing."""

import json
import socket
import time

import pytest

from chat_client import ChatClient
from hub_process import DEADLINE_SECONDS, Hub
from raw_client import BINARY, CLOSE, TEXT, RawConnection, frame

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: hubbub.v1\r\n\r\n")


def get(target):
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("hostile"), "--diagnostics")
    yield hub
    assert hub.stop() == 0, hub.stderr


@pytest.mark.parametrize("target", [
    "/api/rooms?user_id=ann&limit=1&offset=9223372036854775807",
    "/api/rooms?user_id=ann&limit=200&offset=9223372036854775807",
])
def test_no_number_is_too_large_for_a_page(hub, target):
    assert hub.http.get(target).status_code in (200, 400)
    assert hub.http.get("/healthz").status_code == 200


def test_a_client_that_is_gone_before_its_handshake_is_answered_holds_no_connection(hub):
    # While the store is asked the client closes; the answer then brings a reset, and the handshake's answer fails.
    for _ in range(200):
        connection = socket.create_connection((hub.host, hub.port))
        connection.sendall(get("/readyz") + HANDSHAKE.replace(b"/ws ", b"/ws?user_id=ghost "))
        connection.close()
    with ChatClient(hub, "ghost") as client:
        client.catch_up()


def test_a_client_that_has_said_all_it_wants_to_gets_its_answer_and_the_end(hub):
    body = b'{"user_id":"half"}'
    request = b"POST /api/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    # Many at once: while most wait for their commit, the end of their stream arrives.
    connections = [socket.create_connection((hub.host, hub.port), timeout=DEADLINE_SECONDS) for _ in range(40)]
    for connection in connections:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
    for connection in connections:
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        connection.close()
        assert answer.startswith(b"HTTP/1.1 201 ")


def test_a_handshake_behind_a_request_that_is_being_answered_opens_a_socket(hub):
    room_id = hub.create_room("eager")
    with RawConnection(hub) as raw:
        raw.send(get(f"/api/rooms/{room_id}") + HANDSHAKE)
        assert raw.response().status == 200
        assert raw.response().status == 101
        raw.next_json("welcome")
        raw.send_frame(TEXT, b'{"type":"ping","id":"1"}')
        assert raw.next_json("pong")["id"] == "1"


@pytest.mark.parametrize("path", ["/ws", "/ws/echo"])
def test_the_hub_ends_the_connection_right_after_the_close_handshake(hub, path):
    with RawConnection(hub) as raw:
        assert raw.upgrade(path=path).status == 101
        raw.send_frame(CLOSE, b"\x03\xe8")
        began = time.monotonic()
        assert raw.close_code() == 1000
        assert raw.is_closed()
        assert time.monotonic() - began < 4


def test_a_close_right_behind_a_fault_does_not_keep_the_hub_from_naming_it(hub):
    with RawConnection(hub) as raw:
        assert raw.upgrade().status == 101
        raw.send(frame(BINARY, b"?") + frame(CLOSE, b"\x03\xe8"))
        assert raw.close_code() == 1003
        assert raw.is_closed()


def test_a_thousand_frames_at_once_are_all_answered(hub):
    room_id = hub.create_room("flood")
    asked = [json.dumps({"type": "history", "room_id": room_id, "id": str(number)}) for number in range(1000)]
    with RawConnection(hub) as raw:
        assert raw.upgrade().status == 101
        raw.send(b"".join(frame(TEXT, text.encode()) for text in asked))
        assert {raw.next_json("ack")["id"] for _ in asked} == {str(number) for number in range(1000)}
