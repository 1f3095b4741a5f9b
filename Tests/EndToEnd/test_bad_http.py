"""Bad and unusual HTTP, byte by byte: each gets the status the documents name, and the hub goes on serving others."""

import json

import pytest

from chat_client import ChatClient
from hub_process import Hub
from raw_client import RawConnection

BODY_MAX = 1024 * 1024
HEAD_MAX = 32 * 1024
LINE_MAX = 8 * 1024


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("bad-http"))
    yield hub
    assert hub.stop() == 0, hub.stderr


@pytest.fixture(scope="module")
def good_client(hub):
    with ChatClient(hub, "good") as client:
        room_id = hub.create_room("good")
        client.join(room_id)
        yield client, room_id


@pytest.fixture(autouse=True)
def the_hub_serves_others_afterwards(hub, good_client):
    yield
    client, room_id = good_client
    assert client.ask("get-room", room_id=room_id)["room"]["room_id"] == room_id
    assert hub.http.get("/healthz").status_code == 200


def request(line="GET /healthz HTTP/1.1", *headers, body=b"", host="Host: 127.0.0.1"):
    lines = [line, *([host] if host else []), *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def post(body, *headers, path="/api/rooms", content_type="application/json"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = [f"Content-Type: {content_type}"] if content_type else []
    return request(f"POST {path} HTTP/1.1", *fields, f"Content-Length: {len(body)}", *headers, body=body)


MALFORMED = {
    "nonsense": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no version": (request("GET /healthz"), 400),
    "two spaces": (request("GET  /healthz HTTP/1.1"), 400),
    "trailing space": (request("GET /healthz HTTP/1.1 "), 400),
    "method is no token": (request("G(T /healthz HTTP/1.1"), 400),
    "lower-case version": (request("GET /healthz http/1.1"), 400),
    "version 2.0": (request("GET /healthz HTTP/2.0"), 505),
    "version 0.9": (request("GET /healthz HTTP/0.9"), 505),
    "relative target": (request("GET healthz HTTP/1.1"), 400),
    "target with a fragment": (request("GET /healthz#a HTTP/1.1"), 400),
    "bad escape": (request("GET /%zz HTTP/1.1"), 400),
    "escaped NUL": (request("GET /%00 HTTP/1.1"), 400),
    "escaped non-UTF-8": (request("GET /%ff HTTP/1.1"), 400),
    "raw non-ASCII target": (request("GET /\xfc HTTP/1.1"), 400),
    "dot segments": (request("GET /api/../healthz HTTP/1.1"), 400),
    "escaped dot segments": (request("GET /api/%2e%2e/healthz HTTP/1.1"), 400),
    "no Host": (request(host=None), 400),
    "two Hosts": (request("GET /healthz HTTP/1.1", "Host: other"), 400),
    "malformed Host": (request(host="Host: a/b"), 400),
    "header without a colon": (request("GET /healthz HTTP/1.1", "Oops"), 400),
    "space before the colon": (request("GET /healthz HTTP/1.1", "A : b"), 400),
    "folded header": (request("GET /healthz HTTP/1.1", "A: b", " c"), 400),
    "NUL in a header": (request("GET /healthz HTTP/1.1", "A: b\0c"), 400),
    "bare CR in a header": (request("GET /healthz HTTP/1.1", "A: b\rX: y"), 400),
    "101 headers": (request("GET /healthz HTTP/1.1", *(f"A{n}: b" for n in range(101))), 431),
    "unknown expectation": (request("GET /healthz HTTP/1.1", "Expect: a miracle"), 417),
    "length and chunks": (post({}, "Transfer-Encoding: chunked"), 400),
    "two lengths": (post(b"", "Content-Length: 5"), 400),
    "negative length": (request("POST /api/rooms HTTP/1.1", "Content-Length: -1"), 400),
    "length in hex": (request("POST /api/rooms HTTP/1.1", "Content-Length: 0x10"), 400),
    "length with plus": (request("POST /api/rooms HTTP/1.1", "Content-Length: +5"), 400),
    "length beyond all numbers": (request("POST /api/rooms HTTP/1.1", "Content-Length: " + "9" * 30), 413),
    "gzip coding": (request("POST /api/rooms HTTP/1.1", "Transfer-Encoding: gzip, chunked"), 501),
    "identity coding": (request("POST /api/rooms HTTP/1.1", "Transfer-Encoding: identity"), 501),
    "chunks in HTTP/1.0": (request("POST /api/rooms HTTP/1.0", "Transfer-Encoding: chunked"), 400),
    "chunk size is no number": (
        request("POST /api/rooms HTTP/1.1", "Transfer-Encoding: chunked", body=b"zz\r\n"), 400),
    "chunk longer than it says": (
        request("POST /api/rooms HTTP/1.1", "Transfer-Encoding: chunked", body=b"2\r\n{}{}\r\n0\r\n\r\n"), 400),
    "chunk size beyond all numbers": (
        request("POST /api/rooms HTTP/1.1", "Transfer-Encoding: chunked", body=b"f" * 20 + b"\r\n"), 413),
}


UNREADABLE_LINES = list(MALFORMED)[:list(MALFORMED).index("no Host")]


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_request_is_refused_and_the_connection_closed(hub, name):
    data, status = MALFORMED[name]
    with RawConnection(hub) as connection:
        response = connection.request(data)
        assert (response.status, response.headers.get("connection")) == (status, "close"), response.body
        assert response.headers["content-type"].startswith("application/json")
        assert response.json["success"] is False and response.json["error_code"]
        # The path is known as soon as the first line makes sense.
        path = data.split(b" ")[1].decode() if name not in UNREADABLE_LINES else ""
        assert response.json["path"] == path
        assert connection.is_closed()


def padded_head(size):
    head = request("GET /healthz HTTP/1.1", "X-Pad: ")
    return request("GET /healthz HTTP/1.1", "X-Pad: " + "a" * (size - len(head)))


def padded_line(size):
    line = "GET /healthz?pad= HTTP/1.1\r\n"
    return request(f"GET /healthz?pad={'a' * (size - len(line))} HTTP/1.1")


@pytest.mark.parametrize("data, status", [
    (padded_head(HEAD_MAX), 200), (padded_head(HEAD_MAX + 1), 431), (padded_head(HEAD_MAX * 4), 431),
    (padded_line(LINE_MAX), 200), (padded_line(LINE_MAX + 1), 414),
    (request("GET /healthz HTTP/1.1", *(f"A{n}: b" for n in range(99))), 200),
], ids=["head at", "head over", "head far over", "line at", "line over", "headers at"])
def test_the_heads_limits_hold_to_the_byte(hub, data, status):
    with RawConnection(hub) as connection:
        response = connection.request(data)
        assert response.status == status
        if status != 200:
            assert response.json["path"] == ("/healthz" if status == 431 else "")


def room_body(size):
    body = json.dumps({"user_id": "ann", "room_name": "Big"}).encode()
    return body + b" " * (size - len(body))


def in_chunks(body, size):
    pieces = [body[start:start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = request("POST /api/rooms HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked")
    return head + framed + b"0\r\nTrailer: yes\r\n\r\n"


@pytest.mark.parametrize("data, status", [
    (post(room_body(BODY_MAX)), 201), (post(room_body(BODY_MAX + 1)), 413),
    (in_chunks(room_body(BODY_MAX), 65536), 201), (in_chunks(room_body(BODY_MAX + 1), 65536), 413),
    (in_chunks(room_body(200), 1), 201),
], ids=["length at", "length over", "chunks at", "chunks over", "chunks of one byte"])
def test_the_bodys_limit_holds_to_the_byte(hub, data, status):
    with RawConnection(hub) as connection:
        response = connection.request(data)
        assert response.status == status
        if status == 413:
            assert response.json["error_code"] == "MESSAGE_TOO_LARGE" and str(BODY_MAX) in response.json["error"]
            assert response.json["path"] == "/api/rooms"


def test_a_body_over_the_limit_is_refused_before_it_is_sent(hub):
    with RawConnection(hub) as connection:
        head = request("POST /api/rooms HTTP/1.1", f"Content-Length: {BODY_MAX + 1}", "Expect: 100-continue")
        response = connection.request(head)
        assert response.status == 413 and response.json["path"] == "/api/rooms"


ROUTES = [
    ("GET", "/nowhere", 404, "NOT_FOUND"),
    ("GET", "/api", 404, "NOT_FOUND"),
    ("GET", "/api/rooms/room_none", 404, "NOT_FOUND"),
    ("GET", "/api/rooms/a.b", 404, "NOT_FOUND"),
    ("GET", "/api/rooms/" + "a" * 65, 404, "NOT_FOUND"),
    ("GET", "/api/rooms/room_none/history", 404, "NOT_FOUND"),
    ("GET", "/api/rooms/room_none/members", 404, "NOT_FOUND"),
    ("GET", "/ws/echo", 404, "NOT_FOUND"),
    ("PUT", "/api/rooms", 405, "METHOD_NOT_ALLOWED"),
    ("POST", "/healthz", 405, "METHOD_NOT_ALLOWED"),
    ("POST", "/api/rooms/room_none", 405, "METHOD_NOT_ALLOWED"),
    ("BREW", "/", 405, "METHOD_NOT_ALLOWED"),
    ("GET", "/api/rooms", 400, "VALIDATION_ERROR"),
    ("GET", "/api/rooms?user_id=a%20b", 400, "VALIDATION_ERROR"),
    ("GET", "/api/rooms?user_id=" + "a" * 65, 400, "VALIDATION_ERROR"),
    ("GET", "/api/rooms?user_id=ann&limit=0", 400, "VALIDATION_ERROR"),
    ("GET", "/api/rooms?user_id=ann&limit=ten", 400, "VALIDATION_ERROR"),
    ("GET", "/api/rooms?user_id=ann&limit=99999999999999999999", 400, "VALIDATION_ERROR"),
    ("GET", "/api/rooms?user_id=ann&offset=-1", 400, "VALIDATION_ERROR"),
    ("GET", "/api/rooms?user_id=ann&sort_by=colour", 400, "VALIDATION_ERROR"),
    ("DELETE", "/api/rooms/room_none", 400, "VALIDATION_ERROR"),
    ("DELETE", "/api/rooms/room_none?user_id=ann", 404, "NOT_FOUND"),
]


@pytest.mark.parametrize("method, target, status, code", ROUTES)
def test_a_request_that_cannot_be_met_says_why(hub, method, target, status, code):
    with RawConnection(hub) as connection:
        response = connection.request(request(f"{method} {target} HTTP/1.1"))
        assert (response.status, response.json["error_code"]) == (status, code), response.json
        body = response.json
        assert body["success"] is False and body["error"] and body["path"] == target.partition("?")[0]
        assert body["timestamp"].endswith("Z")
        if status == 405:
            assert "GET" in response.headers["allow"]
        connection.send(request())
        assert connection.response().status == 200


BODIES = [
    (b"", 400, "INVALID_JSON"),
    (b"{", 400, "INVALID_JSON"),
    (b"{'user_id': 'ann'}", 400, "INVALID_JSON"),
    (b'{"user_id": "ann",}', 400, "INVALID_JSON"),
    (b'{"user_id": "ann"} x', 400, "INVALID_JSON"),
    (b'{"user_id": "\xff"}', 400, "INVALID_JSON"),
    (b'{"user_id": "\\ud800"}', 400, "VALIDATION_ERROR"),
    (b"[" * 10_000, 400, "INVALID_JSON"),
    (b"[]", 400, "VALIDATION_ERROR"),
    (b"null", 400, "VALIDATION_ERROR"),
    ({}, 400, "VALIDATION_ERROR"),
    ({"user_id": 7}, 400, "VALIDATION_ERROR"),
    ({"user_id": ""}, 400, "VALIDATION_ERROR"),
    ({"user_id": "a b"}, 400, "VALIDATION_ERROR"),
    ({"user_id": "ann", "room_name": ""}, 400, "VALIDATION_ERROR"),
    ({"user_id": "ann", "room_name": 7}, 400, "VALIDATION_ERROR"),
    ({"user_id": "ann", "room_name": "a" * 101}, 400, "VALIDATION_ERROR"),
    ({"user_id": "ann", "room_name": "a\nb"}, 400, "VALIDATION_ERROR"),
    ({"user_id": "ann", "room_name": "a\u202eb"}, 400, "VALIDATION_ERROR"),
    ({"user_id": "ann", "metadata": []}, 400, "VALIDATION_ERROR"),
    ({"user_id": "ann", "metadata": {"a": "b" * 10_233}}, 400, "VALIDATION_ERROR"),
    ({"user_id": "ann", "metadata": {"a": "b" * 10_232}}, 201, None),
    ({"user_id": "ann", "room_name": "ü" * 100, "metadata": None}, 201, None),
    ({"user_id": "ann", "room_name": None, "unknown": 1}, 201, None),
]


@pytest.mark.parametrize("body, status, code", BODIES, ids=range(len(BODIES)))
def test_a_body_is_checked_and_the_connection_lives_on(hub, body, status, code):
    with RawConnection(hub) as connection:
        response = connection.request(post(body))
        assert (response.status, response.json.get("error_code")) == (status, code), response.json
        connection.send(request())
        assert connection.response().status == 200


def test_patches_are_checked_too(hub):
    room_id = hub.create_room("ann")
    path = f"/api/rooms/{room_id}?user_id=ann"
    for body in ({}, {"room_name": ""}, {"metadata": 7}, {"room_name": 7}):
        response = hub.http.patch(path, json=body)
        assert (response.status_code, response.json()["error_code"]) == (400, "VALIDATION_ERROR"), body
    hub.http.patch(path, json={"metadata": {"a": "b" * 6000}})
    response = hub.http.patch(path, json={"metadata": {"c": "d" * 6000}})
    assert response.status_code == 400, "the limit holds after the merge"


@pytest.mark.parametrize("content_type, status", [
    ("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("multipart/form-data; boundary=x", 415),
    ("Application/JSON; charset=utf-8", 201), ("application/vnd.room+json", 201),
])
def test_only_json_is_taken(hub, content_type, status):
    with RawConnection(hub) as connection:
        response = connection.request(post({"user_id": "ct"}, content_type=content_type))
        assert response.status == status
        if status == 415:
            assert response.json["error_code"] == "UNSUPPORTED_MEDIA_TYPE"


def test_pipelined_requests_are_answered_in_their_order(hub):
    with RawConnection(hub) as connection:
        targets = ["/healthz", "/nowhere", "/readyz", "/api/rooms?user_id=pipe"] * 5
        connection.send(b"".join(request(f"GET {target} HTTP/1.1") for target in targets))
        statuses = [connection.response().status for _ in targets]
        assert statuses == [200, 404, 200, 200] * 5


def test_a_pipelined_post_is_seen_by_the_request_behind_it(hub):
    with RawConnection(hub) as connection:
        connection.send(post({"user_id": "pipe2"}) + request("GET /api/rooms?user_id=pipe2 HTTP/1.1"))
        assert connection.response().status == 201
        assert connection.response().json["data"]["total"] == 1


def test_a_connection_is_kept_or_closed_as_the_client_asks(hub):
    with RawConnection(hub) as connection:
        for _ in range(3):
            assert connection.request(request()).status == 200
        response = connection.request(request("GET /healthz HTTP/1.1", "Connection: close"))
        assert response.status == 200 and response.headers["connection"] == "close"
        assert connection.is_closed()
    with RawConnection(hub) as connection:
        assert connection.request(request("GET /healthz HTTP/1.0", host=None)).status == 200
        assert connection.is_closed()
    with RawConnection(hub) as connection:
        response = connection.request(request("GET /healthz HTTP/1.0", "Connection: keep-alive"))
        assert response.status == 200 and response.headers["connection"].lower() == "keep-alive"
        assert connection.request(request()).status == 200


def test_a_client_that_waits_for_100_continue_gets_it(hub):
    body = json.dumps({"user_id": "ann"}).encode()
    with RawConnection(hub) as connection:
        head = request("POST /api/rooms HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(body)}",
                       "Expect: 100-continue")
        assert connection.request(head).status == 100
        assert connection.request(body).status == 201


def test_head_gets_the_head_only(hub):
    with RawConnection(hub) as connection:
        for target in ("/", "/page.css", "/healthz", "/api/rooms?user_id=ann"):
            connection.send(request(f"HEAD {target} HTTP/1.1", "Accept: text/html"))
            head = connection.response(to_head=True)
            full = connection.request(request(f"GET {target} HTTP/1.1", "Accept: text/html"))
            assert head.status == full.status == 200
            assert head.headers["content-type"] == full.headers["content-type"]
            assert head.headers["content-length"] == str(len(full.body))


def test_options_names_the_methods(hub):
    response = hub.http.request("OPTIONS", "/api/rooms")
    assert response.status_code == 204 and "POST" in response.headers["allow"]


def test_a_request_byte_by_byte_is_a_request(hub):
    with RawConnection(hub) as connection:
        for byte in post({"user_id": "drip"}):
            connection.send(bytes([byte]))
        assert connection.response().status == 201


def test_connections_that_never_finish_a_request_disturb_nobody(hub, good_client):
    client, room_id = good_client
    slow = [RawConnection(hub) for _ in range(200)]
    try:
        for number, connection in enumerate(slow):
            connection.send(request()[:number % 20 + 1])
        assert client.ask("get-room", room_id=room_id)
        assert hub.http.get("/healthz").status_code == 200
        for number, connection in enumerate(slow):
            connection.send(request()[number % 20 + 1:])
            assert connection.response().status == 200
    finally:
        for connection in slow:
            connection.__exit__()


def test_a_page_of_another_origin_changes_nothing(hub):
    for origin in ("http://evil.example", "null", f"http://{hub.host}:1"):
        response = hub.http.post("/api/rooms", json={"user_id": "ann"}, headers={"Origin": origin})
        assert (response.status_code, response.json()["error_code"]) == (403, "ACCESS_DENIED")
    assert hub.http.post("/api/rooms", json={"user_id": "ann"}, headers={"Origin": hub.url}).status_code == 201
