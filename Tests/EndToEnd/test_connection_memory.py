"""What all connections hold together has a limit: beyond it large ones are refused, and small ones still served."""

import json
import socket
import time

from hub_process import DEADLINE_SECONDS
from raw_client import TEXT, RawConnection, frame

TOTAL = 2 << 20
BODY = 400_000


def begin_body(hub, count=BODY):
    """Sends the whole of a body but its last byte."""
    raw = RawConnection(hub)
    raw.send(b"POST /api/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
             b"Content-Length: %d\r\n\r\n" % count + b" " * (count - 1))
    return raw


def is_refused(raw):
    """Whether the hub has said something, in the midst of a request."""
    connection, buffer = raw.detach()
    try:
        return bool(buffer or connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(DEADLINE_SECONDS)


def wait_until(is_true):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_unfinished_bodies_share_one_total(start_hub):
    hub = start_hub(config={"limits": {"connection_bytes_max": TOTAL}})
    bodies = []
    while not (bodies and is_refused(bodies[-1])):
        assert len(bodies) < TOTAL // BODY + 1, "more than the total is held"
        bodies.append(begin_body(hub))
        # It has arrived, or was refused, once the hub has read all of it.
        hub.http.get("/healthz")
        time.sleep(0.1)
    assert len(bodies) > 1
    refused = bodies.pop()
    response = refused.response()
    assert response.status == 503 and response.headers["connection"] == "close"
    assert response.json["error_code"] == "CAPACITY_EXCEEDED" and response.json["path"] == "/api/rooms"
    assert int(response.headers["retry-after"]) >= 1
    # Small requests find room, and those that were there go on.
    hub.create_room("ben")
    first = bodies[0]
    first.send(b" ")
    assert first.response().status == 400, "it was no JSON"
    for body in bodies:
        body.detach()[0].close()
    # What they held is free again.
    wait_until(lambda: not is_refused(again := begin_body(hub)) or again.detach()[0].close())


def test_unfinished_messages_share_it_too_and_their_sockets_are_closed(start_hub, open_client):
    hub = start_hub(config={"limits": {"connection_bytes_max": TOTAL}})
    part = frame(TEXT, b"x" * 200_000, fin=False)
    sockets = []
    while not (sockets and is_refused(sockets[-1])):
        assert len(sockets) < TOTAL // 200_000 + 1, "more than the total is held"
        raw = RawConnection(hub)
        assert raw.upgrade(path="/ws?user_id=eve").status == 101
        raw.next_json("welcome")
        raw.send(part)
        sockets.append(raw)
        time.sleep(0.1)
    assert len(sockets) > 3
    assert sockets[-1].close_code() == 1013
    client = open_client(hub)
    client.ask("list-rooms")
    for raw in sockets:
        raw.detach()[0].close()


def test_a_long_answer_needs_room_before_it_is_made(start_hub):
    hub = start_hub(config={"limits": {"connection_bytes_max": 1 << 20, "rooms_per_user": 0}})
    # A list of 40 rooms with 10,000 bytes of metadata each, where a quarter of a mebibyte is free.
    for number in range(40):
        hub.create_room(name=f"Room {number}", text="m" * 10_000)
    refusal = hub.refusal("GET", "/api/rooms?user_id=ann", 503, "CAPACITY_EXCEEDED")
    assert "try again" in refusal
    assert len(hub.ask("GET", "/api/rooms?user_id=ann&limit=20")["rooms"]) == 20


def test_a_slow_reader_of_a_long_answer_gets_every_byte(start_hub):
    hub = start_hub(config={"limits": {"rooms_per_user": 0}})
    for number in range(40):
        hub.create_room(name=f"Room {number}", text="m" * 10_000)
    expected = hub.ask("GET", "/api/rooms?user_id=ann")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(DEADLINE_SECONDS)
    with connection:
        connection.connect((hub.host, hub.port))
        connection.sendall(b"GET /api/rooms?user_id=ann HTTP/1.0\r\n\r\n")
        data = b""
        while piece := connection.recv(1500):
            data += piece
    body = data.partition(b"\r\n\r\n")[2]
    assert json.loads(body)["data"] == expected


def test_empty_lines_do_not_renew_the_time_of_a_request(start_hub):
    hub = start_hub(config={"limits": {"request_seconds": 1}})
    connection = socket.create_connection((hub.host, hub.port), timeout=0.05)
    began = time.monotonic()
    with connection:
        while time.monotonic() - began < DEADLINE_SECONDS:
            try:
                # Either half of the line's end may be what comes last.
                connection.sendall(b"\r\n\r")
                connection.sendall(b"\n")
                if not connection.recv(100):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
    assert 0.9 < time.monotonic() - began < 10, "a second, and up to one more until the sweep comes by"
