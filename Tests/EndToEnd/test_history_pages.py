"""Pages of history over HTTP: as many rows as the limit says, however long they are, in bounded memory."""

import json
import pathlib
import socket

import httpx
import pytest

from hub_process import DEADLINE_SECONDS
from raw_client import RawConnection

LONG = 900_000


def fill(start_hub, texts, **options):
    """A hub with a room that has these answers, the first one the oldest; their exchanges are `e0`, `e1` and so on."""
    hub = start_hub(**options)
    room_id = hub.create_room()
    assert hub.stop() == 0
    with hub.database() as database:
        [[room, session]] = database.execute(
            "SELECT id, default_session_id FROM rooms WHERE room_id = ?", [room_id]).fetchall()
        for number, text in enumerate(texts):
            cursor = database.execute(
                "INSERT INTO exchanges (exchange_id, stream_id, room, session_id, user_id, agent_type, status, text, "
                "started_at, ended_at) VALUES (?, ?, ?, ?, 'ann', 'model', 'completed', ?, 1, 2)",
                [f"e{number}", f"stream_{number}", room, session, text])
            database.execute(
                "INSERT INTO messages (exchange, room, user_id, role, text, timestamp) "
                "VALUES (?, ?, 'ann', 'user', ?, 1)",
                [cursor.lastrowid, room, f"q{number}"])
        database.execute("UPDATE rooms SET exchange_count = ? WHERE id = ?", [len(texts), room])
    database.close()
    return start_hub(data=hub.data, **options), room_id


def path(room_id, **query):
    return f"/api/rooms/{room_id}/history?" + "&".join(f"{name}={value}" for name, value in query.items())


def dechunk(body):
    """The content of a body in chunks, and what follows it."""
    content = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        count = int(size, 16)
        content, body = content + body[:count], body[count + 2:]
        if not count:
            return content, body


def read_all(connection):
    data = b""
    while piece := connection.recv(1 << 20):
        data += piece
    return data


@pytest.fixture
def seven(start_hub):
    texts = [chr(97 + number) * LONG for number in range(6)] + ["\x01\"é\n" * (LONG // 5)]
    hub, room_id = fill(start_hub, texts)
    return hub, room_id, texts


def test_a_page_has_as_many_rows_as_its_limit_says_however_long_they_are(seven):
    hub, room_id, texts = seven
    response = hub.http.get(path(room_id, limit=50))
    data = response.json()["data"]
    assert response.headers["transfer-encoding"] == "chunked" and "content-length" not in response.headers
    assert (data["total"], data["page"], data["page_size"]) == (7, 1, 50)
    assert [row["agent_response"] for row in data["history"]] == texts[::-1]
    assert [row["user_input"] for row in data["history"]] == [f"q{number}" for number in range(6, -1, -1)]
    # A client that steps by its limit sees them all.
    pages = [hub.ask("GET", path(room_id, limit=3, offset=offset)) for offset in (0, 3, 6)]
    assert [len(page["history"]) for page in pages] == [3, 3, 1]
    assert [page["page"] for page in pages] == [1, 2, 3] and {page["total"] for page in pages} == {7}
    seen = [row["exchange_id"] for page in pages for row in page["history"]]
    assert seen == [f"e{number}" for number in range(6, -1, -1)]
    short = hub.http.get(path(room_id, limit=1, offset=9))
    assert short.json()["data"]["history"] == [] and int(short.headers["content-length"]) == len(short.content)


def test_a_long_page_leaves_its_connection_as_it_found_it(seven):
    hub, room_id, texts = seven
    target = path(room_id, limit=2)
    head = f"{target} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with RawConnection(hub) as raw:
        # What is sent ahead waits for the page's end; a HEAD has the same head and nothing behind it.
        last = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        raw.send(f"HEAD {head}\r\nGET {head}\r\n{last}".encode())
        first = raw.response(to_head=True)
        assert first.status == 200 and first.headers["transfer-encoding"] == "chunked"
        connection, rest = raw.detach()
        connection.settimeout(DEADLINE_SECONDS)
        page, _, body = (rest + read_all(connection)).partition(b"\r\n\r\n")
        assert page.startswith(b"HTTP/1.1 200 OK") and b"\r\nConnection: keep-alive" in page
        content, rest = dechunk(body)
        rows = json.loads(content)["data"]["history"]
        assert [row["agent_response"] for row in rows] == texts[:4:-1]
        assert rest.startswith(b"HTTP/1.1 200 OK") and rest.endswith(b'{"status":"alive"}')
    # HTTP/1.0 knows no chunks: the end of the connection is the end of the page.
    connection = socket.create_connection((hub.host, hub.port), timeout=DEADLINE_SECONDS)
    with connection:
        connection.sendall(f"GET {target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        page, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in page and b"Transfer-Encoding" not in page
    assert [row["agent_response"] for row in json.loads(body)["data"]["history"]] == texts[:4:-1]


def test_what_happens_while_a_page_is_read_does_not_shift_it(seven, open_client):
    hub, room_id, texts = seven
    with httpx.stream("GET", hub.url + path(room_id, limit=50), timeout=DEADLINE_SECONDS, trust_env=False) as slow:
        pieces = slow.iter_raw(1000)
        start = next(pieces)
        client = open_client(hub)
        for number in range(3):
            client.ask("send", room_id=room_id, text=f"new {number}", respond=False)
        rows = json.loads(start + b"".join(pieces))["data"]["history"]
    assert [row["agent_response"] for row in rows] == texts[::-1]


def test_a_page_that_cannot_be_ended_ends_its_connection(seven):
    hub, room_id, _ = seven
    with httpx.stream("GET", hub.url + path(room_id, limit=50), timeout=DEADLINE_SECONDS, trust_env=False) as slow:
        assert slow.status_code == 200
        hub.ask("DELETE", f"/api/rooms/{room_id}?user_id=ann")
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            slow.read()
    assert hub.http.get("/healthz").status_code == 200


def test_readers_that_do_not_read_hold_a_part_of_a_page_each(start_hub):
    # Each byte is six in JSON, and a page of these would be 24 MB.
    hub, room_id = fill(start_hub, ["\x01" * (1 << 20)] * 4)

    def resident_bytes():
        pages = pathlib.Path(f"/proc/{hub.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096

    before = resident_bytes()
    connections = [socket.create_connection((hub.host, hub.port), timeout=DEADLINE_SECONDS) for _ in range(30)]
    for connection in connections:
        connection.sendall(f"GET {path(room_id)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    for connection in connections:
        assert connection.recv(17) == b"HTTP/1.1 200 OK\r\n"
    assert resident_bytes() - before < len(connections) * (4 << 20)
    # One that begins to read gets all of it.
    with connections[-1] as connection:
        body = b"HTTP/1.1 200 OK\r\n"
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(1 << 20)
    content, _ = dechunk(body.partition(b"\r\n\r\n")[2])
    assert len(json.loads(content)["data"]["history"]) == 4
    for connection in connections[:-1]:
        connection.close()
