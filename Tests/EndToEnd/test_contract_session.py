"""The sessions of the first family as its documents have them: every request, answer, code and rule."""

import datetime

import pytest

from hub_process import is_timestamp


def time(text):
    return datetime.datetime.fromisoformat(text)


def path(session, operation=""):
    return f"/api/session/{session['session_id']}" + (f"/{operation}" if operation else "")


@pytest.fixture
def talk(model, streams):
    """Asks one question in a session and answers it; returns what the model was told."""
    def ask(session, question, answer, **fields):
        stream = streams.post(question, session_id=session["session_id"], **fields)
        call = model.next_call()
        call.say(answer)
        call.finish()
        assert stream.finish()["status"] == "completed"
        return [message["content"] for message in call.body["messages"]]
    return ask


def test_a_session_is_created_as_documented(hub):
    room_id = hub.create_room("user_123")
    response = hub.http.post("/api/session/create", json={"user_id": "user_123", "room_id": room_id})
    assert response.status_code == 201 and response.json()["message"] == "Session created successfully"
    session = response.json()["data"]
    assert set(session) == {"session_id", "user_id", "room_id", "created_at", "expires_at"}
    assert session["session_id"].startswith("session_")
    assert (session["user_id"], session["room_id"]) == ("user_123", room_id)
    assert is_timestamp(session["created_at"]) and is_timestamp(session["expires_at"])
    assert time(session["expires_at"]) - time(session["created_at"]) == datetime.timedelta(minutes=30)
    assert response.headers["location"] == path(session)
    assert hub.ask("GET", path(session), message="Session retrieved successfully") == session


def test_a_session_without_a_room_gets_one(hub):
    for body in ({"user_id": "user_123"}, {"user_id": "user_123", "room_id": None}):
        session = hub.ask("POST", "/api/session/create", 201, json=body)
        assert hub.ask("GET", f"/api/rooms/{session['room_id']}")["user_id"] == "user_123"
    assert hub.ask("GET", "/api/rooms?user_id=user_123")["total"] == 2


@pytest.mark.parametrize("body, status, code", [
    ({}, 400, "VALIDATION_ERROR"), ({"user_id": ""}, 400, "VALIDATION_ERROR"),
    ({"user_id": "a b"}, 400, "VALIDATION_ERROR"), ({"user_id": "$gt"}, 400, "VALIDATION_ERROR"),
    ({"user_id": {"$gt": ""}}, 400, "VALIDATION_ERROR"), ({"user_id": "u", "room_id": 7}, 400, "VALIDATION_ERROR"),
    ({"user_id": "u", "room_id": "room_none"}, 404, "NOT_FOUND"),
    ({"user_id": "u", "room_id": "a b"}, 404, "NOT_FOUND"),
])
def test_a_session_that_cannot_be_is_refused(hub, body, status, code):
    assert hub.refusal("POST", "/api/session/create", status, code, json=body)


def test_an_unknown_session_is_not_found(hub):
    operations = [("GET", ""), ("DELETE", ""), ("POST", "/reset"), ("POST", "/stop"), ("DELETE", "/history")]
    for method, operation in operations:
        for name in ("session_none", "session_0000none", "a.b"):
            hub.refusal(method, f"/api/session/{name}{operation}", 404, "NOT_FOUND")


def test_a_reset_forgets_what_an_agent_was_told_and_keeps_the_history(start_hub, model):
    agents = {"agents": [model.agent("research_paper"), model.agent("nutrition")], "default_agent": "research_paper",
              "limits": {"drain_seconds": 0}}
    hub = start_hub(config=agents)
    session = hub.open_session("user_123")

    def ask(question, agent_type):
        body = {"query": question, "session_id": session["session_id"], "agent_type": agent_type}
        with hub.http.stream("POST", "/api/chat/message", json=body) as response:
            call = model.next_call()
            call.say("Answer to " + question)
            call.finish()
            assert response.status_code == 200 and '"completed"' in response.read().decode()
        return [message["content"] for message in call.body["messages"]]

    for number in range(5):
        ask(f"paper {number}", "research_paper")
    ask("food 0", "nutrition")
    reset = hub.ask("POST", path(session, "reset"), json={"agent_type": "research_paper"},
                    message="Session reset successfully")
    assert reset == {
        "session_id": session["session_id"], "reset_scope": "research_paper", "conversations_cleared": 5}
    assert ask("paper 5", "research_paper") == ["paper 5"]
    assert ask("food 1", "nutrition") == ["food 0", "Answer to food 0", "food 1"], "the others still know"

    assert hub.ask("POST", path(session, "reset")) == {
        "session_id": session["session_id"], "reset_scope": "all", "conversations_cleared": 3}
    assert ask("paper 6", "research_paper") == ["paper 6"] and ask("food 2", "nutrition") == ["food 2"]
    assert hub.ask("POST", path(session, "reset"), json={})["conversations_cleared"] == 2
    assert hub.ask("POST", path(session, "reset"), json={})["conversations_cleared"] == 0
    assert hub.ask("GET", f"/api/rooms/{session['room_id']}/history")["total"] == 10, "history is not context"
    hub.refusal("POST", path(session, "reset"), 400, "VALIDATION_ERROR", json={"agent_type": 7})
    hub.refusal("POST", path(session, "reset"), 400, "INVALID_JSON", content=b"{",
                headers={"Content-Type": "application/json"})


def test_context_is_per_session(hub, talk):
    one = hub.open_session("ann")
    two = hub.open_session("ann", one["room_id"])
    talk(one, "First", "1")
    assert talk(two, "Second", "2") == ["Second"]
    assert talk(one, "Third", "3") == ["First", "1", "Third"]
    hub.ask("POST", path(one, "reset"))
    assert talk(two, "Fourth", "4") == ["Second", "2", "Fourth"]


def test_a_stop_tells_the_partial_answer(hub, model, streams):
    session = hub.open_session("user_123")
    stream = streams.post("A long story, please", session_id=session["session_id"])
    call = model.next_call()
    call.say("Based on recent research in kidney disease treatment...")
    stream.wait_text("Based on recent research in kidney disease treatment...")
    stopped = hub.ask("POST", path(session, "stop"), message="Stream stop requested")
    assert stopped == {
        "session_id": session["session_id"], "room_id": session["room_id"], "status": "stop_requested",
        "partial_response": "Based on recent research in kidney disease treatment..."}
    call.wait_closed()
    assert stream.finish()["status"] == "cancelled"
    [row] = hub.history(session["room_id"])
    assert row["status"] == "cancelled" and row["agent_response"] == stopped["partial_response"]

    # A second time nothing runs, and that is fine.
    assert hub.ask("POST", path(session, "stop"), json={"ignored": True}) == {
        "session_id": session["session_id"], "room_id": session["room_id"], "status": "no_active_stream",
        "partial_response": None}


def test_a_stop_before_the_first_word_has_an_empty_partial(hub, model, streams):
    session = hub.open_session("user_123")
    stream = streams.post("Hello?", session_id=session["session_id"])
    call = model.next_call()
    stopped = hub.ask("POST", path(session, "stop"))
    assert (stopped["status"], stopped["partial_response"]) == ("stop_requested", "")
    call.wait_closed()
    assert stream.finish()["status"] == "cancelled" and stream.text == ""


def test_a_stop_ends_its_own_session_only(hub, model, streams):
    one = hub.open_session("ann")
    two = hub.open_session("ann", one["room_id"])
    first = streams.post("First", session_id=one["session_id"])
    first_call = model.next_call()
    second = streams.post("Second", session_id=two["session_id"])
    second_call = model.next_call()
    hub.ask("POST", path(one, "stop"))
    assert first.finish()["status"] == "cancelled"
    first_call.wait_closed()
    second_call.say("Still here")
    second_call.finish()
    assert second.finish()["status"] == "completed" and second.text == "Still here"


def test_a_cleared_history_is_gone_for_its_session_only(hub, talk):
    one = hub.open_session("user_123")
    two = hub.open_session("user_123", one["room_id"])
    for number in range(3):
        talk(one, f"Question {number}", "Answer")
    talk(two, "Kept", "Answer")
    elsewhere = hub.create_room("user_123")
    hub.refusal("DELETE", path(one, "history") + f"?room_id={elsewhere}", 400, "VALIDATION_ERROR")
    assert hub.ask("GET", f"/api/rooms/{one['room_id']}")["message_count"] == 4
    cleared = hub.ask(
        "DELETE", path(one, "history") + f"?room_id={one['room_id']}", message="History cleared successfully")
    assert cleared == {"session_id": one["session_id"], "conversations_cleared": 3}
    assert [row["user_input"] for row in hub.history(one["room_id"])] == ["Kept"]
    assert hub.ask("GET", f"/api/chat/history?session_id={one['session_id']}")["total"] == 0
    assert hub.ask("GET", f"/api/rooms/{one['room_id']}")["message_count"] == 1
    assert hub.ask("DELETE", path(one, "history"))["conversations_cleared"] == 0
    assert talk(one, "Anew", "Answer") == ["Anew"], "what is cleared is forgotten too"


def test_a_deleted_session_is_gone_and_its_stream_stopped(hub, model, streams):
    session = hub.open_session("user_123")
    stream = streams.post("Hello?", session_id=session["session_id"])
    call = model.next_call()
    call.say("Well")
    stream.wait_text("Well")
    assert hub.ask("DELETE", path(session), message="Session deleted successfully") == {
        "session_id": session["session_id"]}
    call.wait_closed()
    assert stream.finish()["status"] == "cancelled"
    for method, operation in (("GET", ""), ("DELETE", ""), ("POST", "stop"), ("POST", "reset")):
        hub.refusal(method, path(session, operation), 404, "NOT_FOUND")
    hub.refusal("POST", "/api/chat/message", 404, "NOT_FOUND", json={
        "query": "Anyone?", "session_id": session["session_id"]})
    assert hub.history(session["room_id"])[0]["agent_response"] == "Well", "the room keeps its history"


def test_a_sessions_end_slides_with_its_use(start_hub, model):
    hub = start_hub(config=model.config(limits={"session_minutes": 2}))
    session = hub.open_session("user_123")
    assert time(session["expires_at"]) - time(session["created_at"]) == datetime.timedelta(minutes=2)
    with hub.http.stream("POST", "/api/chat/message", json={
            "query": "Hello", "session_id": session["session_id"]}) as response:
        model.next_call().finish()
        response.read()
    later = hub.ask("GET", path(session))
    assert time(later["expires_at"]) > time(session["expires_at"]) and later["created_at"] == session["created_at"]


def test_a_session_survives_a_restart_until_it_expires(start_hub, model):
    hub = start_hub(config=model.config())
    alive, over = hub.open_session("user_123"), hub.open_session("user_123")
    hub.stop()
    with hub.database() as database:
        database.execute("UPDATE sessions SET expires_at = created_at + 1 WHERE session_id = ?", [over["session_id"]])
    database.close()
    hub = start_hub(config=model.config(), data=hub.data)
    assert hub.ask("GET", path(alive))["room_id"] == alive["room_id"]
    for method, operation in (("GET", ""), ("POST", "stop"), ("POST", "reset"), ("DELETE", "history"), ("DELETE", "")):
        hub.refusal(method, path(over, operation), 404, "NOT_FOUND")
    hub.refusal("POST", "/api/chat/message", 404, "NOT_FOUND", json={"query": "?", "session_id": over["session_id"]})


def test_a_session_belongs_to_its_user_and_room(hub):
    session = hub.open_session("user_123")
    send = {"query": "Hello", "session_id": session["session_id"]}
    hub.refusal("POST", "/api/chat/message", 403, "ACCESS_DENIED", json=send | {"user_id": "other"})
    room_id = hub.create_room("user_123")
    hub.refusal("POST", "/api/chat/message", 400, "VALIDATION_ERROR", json=send | {"room_id": room_id})
