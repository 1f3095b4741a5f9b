"""The rooms, histories and probes of the first family as its documents have them: every request, answer and rule that
`test_room_life.py` and `test_bad_http.py` do not try already."""

import pytest

from hub_process import is_timestamp

ROOM = {"room_id", "user_id", "room_name", "created_at", "last_activity", "message_count", "metadata"}
ROW = {"exchange_id", "user_id", "session_id", "room_id", "agent_type", "status", "user_input", "agent_response",
       "timestamp", "metadata"}


@pytest.fixture
def talk(hub, model, streams):
    """Asks one question in a session and answers it; returns the stream's first event."""
    def ask(session, question, answer, usage=None, **fields):
        stream = streams.post(question, session_id=session["session_id"], **fields)
        call = model.next_call()
        call.say(answer)
        call.finish(usage=usage)
        assert stream.finish()["status"] == "completed"
        return stream.first
    return ask


def test_a_room_is_created_as_documented(hub):
    body = {
        "user_id": "user_123", "room_name": "Kidney Disease Discussion",
        "metadata": {"initial_agent": "research_paper", "tags": ["kidney", "research"]},
    }
    response = hub.http.post("/api/rooms", json=body)
    assert response.status_code == 201 and response.headers["content-type"] == "application/json"
    room = response.json()["data"]
    assert set(room) == ROOM and room["room_id"].startswith("room_")
    assert response.headers["location"] == f"/api/rooms/{room['room_id']}"
    assert response.json()["message"] == "Room created successfully"
    assert {name: room[name] for name in body} == body and room["message_count"] == 0
    assert is_timestamp(room["created_at"]) and room["last_activity"] == room["created_at"]

    found = hub.ask("GET", response.headers["location"], message="Room retrieved successfully")
    assert found == room | {"members": []}


def test_a_room_needs_a_user_but_no_name(hub):
    room = hub.ask("POST", "/api/rooms", 201, json={"user_id": "user_123"})
    assert room["room_name"] and room["metadata"] == {}
    hub.refusal("POST", "/api/rooms", 400, "VALIDATION_ERROR", json={"room_name": "Nobody's"})


@pytest.mark.parametrize("name, status", [
    ("a", 201), ("a" * 100, 201), ("a" * 101, 400), ("🎈" * 100, 201), ("🎈" * 101, 400),
    ("<script>alert('x')</script>", 201), ('"; DROP TABLE rooms; --', 201), ("غرفة", 201), ("a\u2066b", 400),
])
def test_a_name_has_1_to_100_characters(hub, name, status):
    response = hub.http.post("/api/rooms", json={"user_id": "names", "room_name": name})
    assert response.status_code == status
    if status == 201:
        path = f"/api/rooms/{response.json()['data']['room_id']}"
        assert hub.ask("GET", path)["room_name"] == name


def test_the_51st_room_is_refused_as_documented(hub):
    rooms = [hub.create_room("collector", f"Room {number}") for number in range(50)]
    create = {"json": {"user_id": "collector"}}
    sentence = hub.refusal("POST", "/api/rooms", 400, "ROOM_LIMIT_EXCEEDED", **create)
    assert sentence == "Maximum room limit (50) reached. Please delete old rooms."
    hub.refusal("POST", "/api/session/create", 400, "ROOM_LIMIT_EXCEEDED", **create)
    hub.ask("DELETE", f"/api/rooms/{rooms[7]}?user_id=collector", message="Room deleted successfully")
    hub.ask("POST", "/api/rooms", 201, **create)
    hub.refusal("POST", "/api/rooms", 400, "ROOM_LIMIT_EXCEEDED", **create)


def test_rooms_are_listed_as_documented(hub, talk):
    first, second, third = (hub.create_room("user_123", name) for name in ("First", "Second", "Third"))
    talk(hub.open_session("user_123", first), "What are the latest treatments?", "Based on recent research...")
    data = hub.ask(
        "GET", "/api/rooms?user_id=user_123&limit=50&offset=0&sort_by=last_activity",
        message="Rooms retrieved successfully")
    assert set(data) == {"rooms", "total", "page", "page_size"}
    assert (data["total"], data["page"], data["page_size"]) == (3, 1, 50)
    assert [room["room_id"] for room in data["rooms"]] == [first, third, second]
    for room in data["rooms"]:
        assert set(room) == ROOM | {"last_message", "unread"}
    last = data["rooms"][0]["last_message"]
    assert last | {"timestamp": None} == {
        "user_input": "What are the latest treatments?", "agent_response": "Based on recent research...",
        "agent_type": "model", "timestamp": None}
    assert is_timestamp(last["timestamp"]) and data["rooms"][0]["message_count"] == 1
    assert data["rooms"][1]["last_message"] is None


@pytest.mark.parametrize("query, page, size, count", [
    ("", 1, 50, 5), ("&limit=2", 1, 2, 2), ("&limit=2&offset=2", 2, 2, 2), ("&limit=2&offset=3", 2, 2, 2),
    ("&limit=2&offset=4", 3, 2, 1), ("&limit=2&offset=400", 201, 2, 0), ("&limit=200", 1, 200, 5),
    ("&limit=201", 1, 200, 5), ("&limit=100000", 1, 200, 5), ("&limit=1&offset=0", 1, 1, 1),
])
def test_pages_are_counted_and_clamped(start_hub, query, page, size, count):
    hub = start_hub()
    for _ in range(5):
        hub.create_room("pager")
    data = hub.ask("GET", "/api/rooms?user_id=pager" + query)
    assert (data["total"], data["page"], data["page_size"], len(data["rooms"])) == (5, page, size, count)


def test_a_list_of_nobody_is_empty(hub):
    data = hub.ask("GET", "/api/rooms?user_id=nobody")
    assert data == {"rooms": [], "total": 0, "page": 1, "page_size": 50}


def test_an_update_merges_metadata_by_its_keys(hub):
    room = hub.ask("POST", "/api/rooms", 201, json={
        "user_id": "user_123", "room_name": "Old", "metadata": {"tags": ["kidney"], "deep": {"a": 1, "b": 2}, "x": 1}})
    path = f"/api/rooms/{room['room_id']}"
    updated = hub.ask("PATCH", path + "?user_id=user_123", message="Room updated successfully", json={
        "room_name": "Updated Room Name", "metadata": {"tags": ["kidney", "treatment"], "deep": {"c": 3}, "x": None}})
    assert updated["room_name"] == "Updated Room Name"
    assert updated["metadata"] == {"tags": ["kidney", "treatment"], "deep": {"c": 3}}
    renamed = hub.ask("PATCH", path + "?user_id=user_123", json={"room_name": "Only the name"})
    assert renamed["metadata"] == updated["metadata"] and renamed["created_at"] == room["created_at"]
    assert hub.ask("GET", path) == renamed | {"members": []}
    for body in ({}, {"room_name": None}, {"room_name": "a" * 101}):
        hub.refusal("PATCH", path + "?user_id=user_123", 400, "VALIDATION_ERROR", json=body)
    hub.refusal("PATCH", path, 400, "VALIDATION_ERROR", json={"room_name": "Whose?"})
    hub.refusal("PATCH", path + "?user_id=other", 403, "ACCESS_DENIED", json={"room_name": "Mine"})
    hub.refusal("PATCH", "/api/rooms/room_none?user_id=other", 404, "NOT_FOUND", json={"room_name": "Mine"})


def test_a_deleted_room_is_hidden_and_kept(hub, talk):
    kept, room_id = hub.create_room("user_123"), hub.create_room("user_123")
    session = hub.open_session("user_123", room_id)
    talk(session, "Question", "Answer")
    talk(hub.open_session("user_123", kept), "Elsewhere", "Answer")
    path = f"/api/rooms/{room_id}?user_id=user_123"
    hub.refusal("DELETE", f"/api/rooms/{room_id}?user_id=other", 403, "ACCESS_DENIED")
    assert hub.ask("DELETE", path, message="Room deleted successfully") == {"room_id": room_id}
    for method, target in (
            ("DELETE", path), ("GET", f"/api/rooms/{room_id}"), ("GET", f"/api/rooms/{room_id}/history"),
            ("GET", f"/api/session/{session['session_id']}"),
            ("POST", f"/api/session/{session['session_id']}/stop")):
        hub.refusal(method, target, 404, "NOT_FOUND")
    hub.refusal("POST", "/api/session/create", 404, "NOT_FOUND", json={"user_id": "user_123", "room_id": room_id})
    assert [room["room_id"] for room in hub.ask("GET", "/api/rooms?user_id=user_123")["rooms"]] == [kept]
    rows = hub.ask("GET", "/api/chat/history?user_id=user_123")
    assert rows["total"] == 1 and rows["history"][0]["room_id"] == kept

    hub.stop()
    with hub.database() as database:
        [(deleted_at,)] = database.execute("SELECT deleted_at FROM rooms WHERE room_id = ?", [room_id]).fetchall()
        [(count,)] = database.execute("SELECT count(*) FROM exchanges WHERE text = 'Answer'").fetchall()
    assert deleted_at and count == 2, "a deletion marks, and keeps what was said"


def test_a_rooms_history_has_the_documented_rows(hub, talk):
    session = hub.open_session("user_123")
    usage = {"prompt_tokens": 150, "completion_tokens": 300, "total_tokens": 450}
    talk(session, "First", "One")
    talk(session, "What are the latest treatments?", "Based on recent research...", usage=usage)
    path = f"/api/rooms/{session['room_id']}/history"
    data = hub.ask("GET", path + "?limit=50&offset=0", message="History retrieved successfully")
    assert set(data) == {"history", "total", "page", "page_size"}
    assert (data["total"], data["page"], data["page_size"]) == (2, 1, 50)
    row = data["history"][0]
    assert set(row) == ROW and set(row["metadata"]) == {"tokens_used", "response_time_ms", "model"}
    expected = {
        "user_id": "user_123", "session_id": session["session_id"], "room_id": session["room_id"],
        "agent_type": "model", "user_input": "What are the latest treatments?",
        "agent_response": "Based on recent research...", "status": "completed"}
    assert {name: row[name] for name in expected} == expected and is_timestamp(row["timestamp"])
    assert row["metadata"]["tokens_used"] == 450 and row["metadata"]["model"] == "test-model-7"
    assert row["metadata"]["response_time_ms"] >= 0
    assert data["history"][1]["user_input"] == "First", "the newest comes first"
    page = hub.ask("GET", path + "?limit=1&offset=1")
    assert [row["user_input"] for row in page["history"]] == ["First"] and page["page"] == 2
    assert hub.ask("GET", path + "?limit=500")["page_size"] == 200
    hub.refusal("GET", path + "?limit=0", 400, "VALIDATION_ERROR")
    hub.refusal("GET", path + "?offset=-1", 400, "VALIDATION_ERROR")


def test_the_chat_history_is_filtered(hub, talk):
    ann, ben = hub.open_session("ann"), hub.open_session("ben")
    again = hub.open_session("ann", ann["room_id"])
    for session, question in ((ann, "1"), (again, "2"), (ben, "3")):
        talk(session, question, "Answer")

    def questions(query):
        data = hub.ask("GET", "/api/chat/history?" + query, message="History retrieved successfully")
        assert data["total"] >= len(data["history"])
        return [row["user_input"] for row in data["history"]]

    assert questions("user_id=ann") == ["2", "1"] and questions("user_id=ben") == ["3"]
    assert questions(f"session_id={again['session_id']}") == ["2"]
    assert questions(f"room_id={ann['room_id']}") == ["2", "1"]
    assert questions(f"room_id={ann['room_id']}&session_id={ann['session_id']}") == ["1"]
    assert questions(f"room_id={ann['room_id']}&user_id=ben") == []
    assert questions("user_id=ann&agent_type=model") == ["2", "1"]
    assert questions("user_id=ann&agent_type=another") == []
    assert questions("user_id=ann&limit=1&offset=1") == ["1"]
    for query in ("", "?agent_type=model", "?user_id=ann&limit=0", "?user_id=a%20b"):
        hub.refusal("GET", "/api/chat/history" + query, 400, "VALIDATION_ERROR")


def test_the_old_list_of_rooms_still_works_and_says_where_to_go(hub):
    room_id = hub.create_room("old_client", "Old")
    new, old = (hub.http.get(path, params={"user_id": "old_client"}) for path in ("/api/rooms", "/api/chat/rooms"))
    assert old.status_code == 200 and old.json()["data"] == new.json()["data"]
    assert old.json()["data"]["rooms"][0]["room_id"] == room_id
    refused = hub.http.get("/api/chat/rooms")
    assert refused.status_code == 400 and refused.json()["path"] == "/api/chat/rooms"
    for response in (old, refused):
        assert response.headers["deprecation"] == "@1737849600"
        assert response.headers["sunset"] == "Sat, 26 Jul 2025 00:00:00 GMT"
        assert response.headers["link"] == '</api/rooms>; rel="successor-version"'
    assert "deprecation" not in new.headers


def test_the_probes_are_as_documented(hub, streams, model):
    assert hub.http.get("/healthz").json() == {"status": "alive"}
    assert hub.http.get("/readyz").json() == {"status": "ready"}
    hub.open_session()
    stream = streams.post("Hello")
    model.next_call().say("Hi")
    stream.wait_text("Hi")
    response = hub.http.get("/api/health")
    health = response.json()
    assert response.status_code == 200 and set(health) == {"status", "timestamp", "version", "checks"}
    assert health["status"] == "healthy" and is_timestamp(health["timestamp"])
    checks = health["checks"]
    assert set(checks) == {"database", "sessions", "streams"}
    assert checks["database"]["status"] == "healthy" and checks["database"]["latency_ms"] >= 0
    assert checks["sessions"]["status"] == "healthy" and checks["sessions"]["active_count"] >= 1
    assert checks["streams"] == {"status": "healthy", "active_count": 1, "capacity": 500}


def test_a_full_node_refuses_and_its_health_is_degraded(start_hub, model, open_client):
    hub = start_hub(config=model.config(limits={"streams_per_node": 1}))
    client = open_client(hub)
    room_id = hub.create_room()
    client.join(room_id)
    client.ask("send", room_id=room_id, text="Hello")
    call = model.next_call()
    health = hub.http.get("/api/health")
    assert health.status_code == 200 and health.json()["status"] == "degraded"
    assert health.json()["checks"]["streams"] == {"status": "degraded", "active_count": 1, "capacity": 1}
    refused = {"json": {"query": "Me too", "user_id": "ben"}}
    assert hub.refusal("POST", "/api/chat/message", 503, "CAPACITY_EXCEEDED", **refused)
    call.finish()
