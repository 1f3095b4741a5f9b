"""Chat over HTTP as the first family's documents have it: event streams, whole documents, stops, resumption."""

import json
import subprocess
import threading

import pytest

from hub_process import DEADLINE_SECONDS, environment

PATHS = ["/api/chat/message", "/api/chat/stream"]


@pytest.fixture
def session(hub):
    return hub.open_session("user_123")


@pytest.fixture
def ask(hub, streams, model, session):
    """Opens a stream that the model has begun to answer."""
    def start(text, query="Count", **fields):
        stream = streams.post(query, session_id=session["session_id"], **fields)
        call = model.next_call()
        call.say(text)
        stream.wait_text(text)
        return stream, call
    return start


def stop(hub, session):
    return hub.ask("POST", f"/api/session/{session['session_id']}/stop")


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_is_a_stream_of_events(hub, streams, model, session, path):
    stream = streams.post("What are the latest treatments?", path, session_id=session["session_id"],
                          room_id=session["room_id"], user_id="user_123", agent_type="model")
    call = model.next_call()
    assert call.question == "What are the latest treatments?"
    pieces = ["Based on ", "recent research, ", "Grüße", " 東京 🎈", "\n\ndata: not an event\n"]
    for piece in pieces:
        call.say(piece)
    call.finish()
    assert stream.finish()["status"] == "completed" and stream.text == "".join(pieces) and stream.retry == 1000
    first = stream.first
    assert first["session_id"] == session["session_id"] and first["room_id"] == session["room_id"]
    row = hub.row(session["room_id"], first["exchange_id"])
    assert row["agent_response"] == stream.text and row["status"] == "completed" and row["agent_type"] == "model"


@pytest.mark.parametrize("path", PATHS)
def test_a_get_sends_as_event_source_does(hub, streams, model, session, path):
    for name in ("query", "message"):
        stream = streams.get(path, **{
            "session_id": session["session_id"], "room_id": session["room_id"], name: f"Why {name}?"})
        call = model.next_call()
        assert call.question == f"Why {name}?"
        call.say("Because.")
        call.finish()
        assert stream.finish()["status"] == "completed" and stream.text == "Because."


def test_a_message_without_a_session_opens_one_and_says_so(hub, streams, model):
    room_id = hub.create_room("user_123")
    for fields in ({}, {"room_id": room_id}):
        stream = streams.post("Hello", user_id="user_123", **fields)
        model.next_call().finish()
        stream.finish()
        session = hub.ask("GET", f"/api/session/{stream.first['session_id']}")
        assert session["user_id"] == "user_123" and session["room_id"] == stream.first["room_id"]
        assert fields == {} or session["room_id"] == room_id


@pytest.mark.parametrize("body, status, code", [
    ({}, 400, "VALIDATION_ERROR"), ({"query": ""}, 400, "VALIDATION_ERROR"), ({"query": 7}, 400, "VALIDATION_ERROR"),
    ({"query": "a" * (32 * 1024 + 1)}, 413, "MESSAGE_TOO_LARGE"),
    ({"query": "?", "if_busy": "wait"}, 400, "VALIDATION_ERROR"),
    ({"query": "?", "session_id": "session_none"}, 404, "NOT_FOUND"),
    ({"query": "?", "session_id": "a b"}, 404, "NOT_FOUND"), ({"query": "?", "room_id": "room_none"}, 404, "NOT_FOUND"),
    ({"query": "?", "user_id": "a b"}, 400, "VALIDATION_ERROR"),
    ({"query": "?", "metadata": "m"}, 400, "VALIDATION_ERROR"),
])
@pytest.mark.parametrize("path", PATHS)
def test_a_message_that_cannot_be_sent_is_refused(hub, path, body, status, code):
    hub.refusal("POST", path, status, code, json=body)


def test_a_get_that_asks_for_nothing_is_refused(hub):
    for query in ("", "?room_id=room_1", "?user_id=ann"):
        hub.refusal("GET", "/api/chat/message" + query, 400, "VALIDATION_ERROR")
    hub.refusal("GET", "/api/chat/message?session_id=session_none", 404, "NOT_FOUND")
    response = hub.http.head("/api/chat/message?query=Hello")
    assert response.status_code == 405 and response.headers["allow"] == "GET, POST, OPTIONS"


def test_another_page_cannot_send_by_an_image(hub, model):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        hub.refusal("GET", "/api/chat/message?query=Hello", 403, "ACCESS_DENIED", headers=headers)
    assert not model.has_calls


def test_curl_shows_the_events_as_they_come(hub, model, session):
    target = f"{hub.url}/api/chat/stream?session_id={session['session_id']}&query=Hello"
    curl = subprocess.Popen(
        ["curl", "-sN", "--noproxy", "*", "--max-time", str(DEADLINE_SECONDS), target], stdout=subprocess.PIPE,
        text=True, env=environment())
    call = model.next_call()

    def events():
        return (json.loads(line.removeprefix("data: ")) for line in curl.stdout if line.startswith("data: "))

    shown = []
    for word in ("one ", "two "):
        call.say(word)
        shown.append(next(event["content"] for event in events() if event.get("content")))
    call.finish()
    assert shown == ["one ", "two "] and [event["status"] for event in events()][-1] == "completed"
    assert curl.wait(DEADLINE_SECONDS) == 0
    curl.stdout.close()


# Resuming and attaching.


def test_a_reader_that_comes_back_misses_and_repeats_nothing(hub, streams, model, session):
    """Cut off after every word in turn, as an `EventSource` would be: the same address with `Last-Event-ID`."""
    words = [f"word{number} " for number in range(8)]
    stream = streams.get(session_id=session["session_id"], query="Count")
    call = model.next_call()
    text = ""
    for word in words:
        call.say(word)
        stream.wait_text(word)
        text += stream.text
        stream.response.close()
        stream = streams.get(last_id=stream.last_id, session_id=session["session_id"], query="Count")
    call.finish()
    assert stream.finish()["status"] == "completed"
    assert text + stream.text == "".join(words)
    gone = streams.get(last_id=stream.last_id, session_id=session["session_id"], query="Count")
    assert gone.status_code == 204, "204 keeps an EventSource from asking again"
    assert len(hub.history(session["room_id"])) == 1 and not model.has_calls, "it was sent once"


def test_a_reader_that_was_away_at_the_end_gets_the_rest(hub, streams, model, session, ask):
    stream, call = ask("one ")
    stream.response.close()
    call.say("two ")
    call.say("three")
    call.finish()
    hub.wait_row(session["room_id"], "completed")
    for query in ({}, {"query": "Count"}, {"last_event_id": stream.last_id}):
        last_id = None if "last_event_id" in query else stream.last_id
        rest = streams.get(last_id=last_id, session_id=session["session_id"], **query)
        assert rest.finish()["status"] == "completed" and stream.text + rest.text == "one two three"
    assert not model.has_calls


def test_a_lost_reader_is_no_cancel(hub, streams, model, session, ask):
    stream, call = ask("Still ")
    stream.response.close()
    call.say("here")
    call.finish()
    assert hub.wait_row(session["room_id"], "completed")["agent_response"] == "Still here"


def test_a_get_without_a_query_attaches_or_has_nothing(hub, streams, model, session, ask):
    assert streams.get(session_id=session["session_id"]).status_code == 204
    stream, call = ask("one ")
    late = streams.get(session_id=session["session_id"], room_id=session["room_id"])
    late.wait_text("one ")
    call.say("two")
    call.finish()
    for reader in (stream, late):
        assert reader.finish()["status"] == "completed" and reader.text == "one two"
    assert late.first["exchange_id"] == stream.first["exchange_id"]
    assert streams.get(session_id=session["session_id"]).status_code == 204


def test_an_identical_get_attaches_and_another_one_asks(hub, streams, model, session):
    query = {"session_id": session["session_id"], "query": "Count"}
    first = streams.get(**query)
    call = model.next_call()
    call.say("one ")
    first.wait_text("one ")
    again = streams.get(**query)
    again.wait_text("one ")
    assert again.first["exchange_id"] == first.first["exchange_id"] and not model.has_calls
    other = streams.get(**query | {"query": "Spell"})
    other.wait_comment()
    call.finish()
    assert other.first["exchange_id"] != first.first["exchange_id"]
    for stream in (first, again):
        assert stream.finish()["status"] == "completed" and stream.text == "one "
    model.next_call().finish()
    assert other.finish()["status"] == "completed"

    # After the end, the same question is a new one.
    third = streams.get(**query)
    model.next_call().finish()
    third.finish()
    assert third.first["exchange_id"] != first.first["exchange_id"]


def test_an_agents_prompt_has_the_facts_of_user_room_and_request(start_hub, model):
    prompt = "{{user_id}}, {{room_name}}, {{room.metadata.topic}}, {{message.metadata.device}}, {{resources.paper}}"
    hub = start_hub(config=model.config(system_prompt=prompt))
    room_id = hub.create_room("user_123", "Kidneys", topic="dialysis")
    body = {"query": "?", "user_id": "user_123", "room_id": room_id,
            "metadata": {"device": "phone"}, "resources": {"paper": "P 7"}}
    with hub.http.stream("POST", "/api/chat/message", json=body) as response:
        call = model.next_call()
        assert call.body["messages"][0] == {"role": "system", "content": "user_123, Kidneys, dialysis, phone, P 7"}
        call.finish()
        response.read()


def test_identical_gets_at_the_same_moment_are_one(hub, streams, model, session):
    for number in range(8):
        query = {"session_id": session["session_id"], "query": f"Count {number}"}
        opened, moment = [], threading.Barrier(4)

        def ask():
            moment.wait(DEADLINE_SECONDS)
            opened.append(streams.get(**query))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        call = model.next_call()
        for thread in threads:
            thread.join(DEADLINE_SECONDS)
        call.say("one two")
        call.finish()
        assert len(opened) == 4 and all(stream.finish()["status"] == "completed" for stream in opened)
        assert {stream.text for stream in opened} == {"one two"} and not model.has_calls
        assert len({stream.first["exchange_id"] for stream in opened}) == 1
    assert len(hub.history(session["room_id"])) == 8


def test_a_place_that_nobody_knows_is_an_error_and_no_repetition(hub, streams, model, session, ask):
    stream, call = ask("one ")
    lost = streams.get(last_id="another:3", session_id=session["session_id"])
    assert lost.finish()["status"] == "error" and lost.text == ""
    for bad in ("three", ":3", "epoch:-3"):
        hub.refusal("GET", f"/api/chat/message?session_id={session['session_id']}", 400, "VALIDATION_ERROR",
                    headers={"Last-Event-ID": bad})
    call.finish()
    assert stream.finish()["status"] == "completed"


# One document.


@pytest.mark.parametrize("path", PATHS)
def test_a_client_of_json_gets_one_document(hub, model, session, path):
    answer = {}

    def post():
        answer["response"] = hub.http.post(
            path, json={"query": "Why?", "session_id": session["session_id"]}, headers={"Accept": "application/json"})

    thread = threading.Thread(target=post)
    thread.start()
    call = model.next_call()
    call.say("Because ")
    call.say("of that.")
    call.finish(usage={"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6})
    thread.join(DEADLINE_SECONDS)
    response = answer["response"]
    body = response.json()
    assert response.status_code == 200 and response.headers["content-type"] == "application/json"
    assert body["success"] is True and body["message"] == "Message processed successfully"
    data = body["data"]
    assert set(data) == {
        "session_id", "room_id", "exchange_id", "stream_id", "agent_type", "status", "response", "usage"}
    assert data["response"] == "Because of that." and data["status"] == "completed" and data["agent_type"] == "model"
    assert data["session_id"] == session["session_id"] and data["room_id"] == session["room_id"]
    assert data["usage"]["total_tokens"] == 6
    assert hub.row(session["room_id"], data["exchange_id"])["agent_response"] == "Because of that."


def test_one_document_can_be_of_an_answer_that_runs_already(hub, model, session, ask):
    stream, call = ask("one ")
    answer = {}

    def get():
        answer["response"] = hub.http.get(
            "/api/chat/message", params={"session_id": session["session_id"]}, headers={"Accept": "application/json"})

    thread = threading.Thread(target=get)
    thread.start()
    call.say("two")
    stream.wait_text("one two")
    # Nothing shows from outside that it has attached; a second is long for that.
    thread.join(1)
    assert thread.is_alive()
    stop(hub, session)
    thread.join(DEADLINE_SECONDS)
    data = answer["response"].json()["data"]
    assert (data["status"], data["response"]) == ("cancelled", "one two")
    assert data["exchange_id"] == stream.first["exchange_id"]
    hub.refusal("GET", f"/api/chat/message?session_id={session['session_id']}", 400, "VALIDATION_ERROR",
                headers={"Accept": "application/json", "Last-Event-ID": stream.last_id})


def test_a_failed_agent_is_an_error_of_its_own(hub, model, session, streams):
    fields = {"session_id": session["session_id"]}
    stream = streams.post("Why?", **fields)
    call = model.next_call()
    call.say("Bec")
    stream.wait_text("Bec")
    call.cut()
    last = stream.finish()
    assert last["status"] == "error" and last["error_code"] == "AGENT_FAILED" and last["error"]

    answer = {}

    def post():
        answer["response"] = hub.http.post(
            "/api/chat/message", json={"query": "Again?"} | fields, headers={"Accept": "application/json"})

    thread = threading.Thread(target=post)
    thread.start()
    call = model.next_call()
    call.say("Bec")
    call.cut()
    thread.join(DEADLINE_SECONDS)
    response = answer["response"]
    assert response.status_code == 502 and response.json()["error_code"] == "AGENT_FAILED"
    assert response.json()["success"] is False and response.json()["path"] == "/api/chat/message"
    assert [row["agent_response"] for row in hub.history(session["room_id"])] == ["Bec", "Bec"], "partials are kept"


# Busy sessions.


def test_a_busy_session_queues_and_says_so_by_comments(hub, streams, model, session, ask):
    stream, call = ask("one")
    waiting = streams.post("Next", session_id=session["session_id"])
    waiting.wait_comment()
    assert waiting.text == "" and not model.has_calls
    call.finish()
    assert stream.finish()["status"] == "completed"
    call = model.next_call()
    call.say("two")
    call.finish()
    assert waiting.finish()["status"] == "completed" and waiting.text == "two"


def test_a_busy_session_rejects_or_is_interrupted_on_request(hub, streams, model, session, ask):
    stream, call = ask("one")
    hub.refusal("POST", "/api/chat/message", 409, "STREAM_ACTIVE", json={
        "query": "Now!", "session_id": session["session_id"], "if_busy": "reject"})
    urgent = streams.post("Now!", session_id=session["session_id"], if_busy="interrupt")
    call.wait_closed()
    assert stream.finish()["status"] == "cancelled" and stream.text == "one"
    call = model.next_call()
    assert call.question == "Now!"
    call.finish()
    assert urgent.finish()["status"] == "completed"


def test_five_rapid_messages_become_one_turn(hub, streams, model, session, ask):
    stream, call = ask("one")
    questions = [f"Question {number}" for number in range(5)]
    waiting = []
    for question in questions:
        reader = streams.post(question, session_id=session["session_id"])
        reader.wait_comment()  # It is acknowledged while it waits: the response begins when the message is stored.
        waiting.append(reader)
    call.finish()
    stream.finish()
    call = model.next_call()
    places = [call.question.index(question) for question in questions]
    assert places == sorted(places), "all of them, in their order"
    call.say("To all five")
    call.finish()
    for reader in waiting:
        assert reader.finish()["status"] == "completed" and reader.text == "To all five"
    assert len({reader.first["exchange_id"] for reader in waiting}) == 1
    assert len(hub.history(session["room_id"])) == 2 and not model.has_calls


def test_none_of_five_rapid_messages_is_lost_with_the_hub(hub, start_hub, streams, model, session, ask):
    ask("one")
    questions = [f"Question {number}" for number in range(5)]
    for question in questions:
        streams.post(question, session_id=session["session_id"]).wait_comment()
    hub.kill()
    hub = start_hub(config=model.config(), data=hub.data)
    waiting, running = hub.history(session["room_id"])
    assert waiting["user_input"] == "\n".join(questions) and waiting["status"] == "interrupted"
    assert running["status"] == "interrupted"


def test_a_message_id_sends_once(hub, streams, model, session):
    fields = {"session_id": session["session_id"], "message_id": "m1"}
    first = streams.post("Hello", **fields)
    call = model.next_call()
    call.say("Hi")
    first.wait_text("Hi")
    again = streams.post("Hello", **fields)
    again.wait_text("Hi")
    call.finish()
    for reader in (first, again):
        assert reader.finish()["status"] == "completed" and reader.text == "Hi"
    late = streams.post("Hello", **fields)
    assert late.finish()["status"] == "completed" and late.text == "Hi"
    assert late.first["exchange_id"] == first.first["exchange_id"]
    hub.refusal("POST", "/api/chat/message", 409, "IDEMPOTENCY_CONFLICT", json={"query": "Bye"} | fields)
    assert len(hub.history(session["room_id"])) == 1 and not model.has_calls


def test_one_stream_per_session_and_five_per_user(hub, streams, model):
    sessions = [hub.open_session("busy") for _ in range(6)]
    running = []
    for one in sessions[:5]:
        running.append((streams.post("Hello", session_id=one["session_id"]), model.next_call()))
    fields = {"query": "Hello", "session_id": sessions[5]["session_id"]}
    hub.refusal("POST", "/api/chat/message", 429, "STREAM_LIMIT_EXCEEDED", json=fields)
    for stream, call in running:
        call.finish()
        stream.finish()
    stream = streams.post(**fields)
    model.next_call().finish()
    assert stream.finish()["status"] == "completed"


# All faces together.


def test_all_readers_hold_the_same_text_and_a_stop_ends_them_all(hub, streams, model, session, ask, open_client):
    sockets = [open_client(hub, "user_123"), open_client(hub, "ben")]
    for client in sockets:
        client.join(session["room_id"])
    stream, call = ask("Once upon ")
    reader = streams.get(session_id=session["session_id"])
    call.say("a time 🎈")
    text = "Once upon a time 🎈"
    stream_id = stream.first["stream_id"]
    for one in (stream, reader):
        one.wait_text(text)
    for client in sockets:
        client.wait_text(stream_id, len(text.encode()))
    assert stop(hub, session)["partial_response"] == text
    call.wait_closed()
    for one in (stream, reader):
        assert one.finish()["status"] == "cancelled" and one.text == text
    for client in sockets:
        ended = client.wait("stream-ended", stream_id=stream_id)
        assert ended["status"] == "cancelled" and client.texts[stream_id] == text
    assert hub.history(session["room_id"])[0]["agent_response"] == text


def test_what_a_socket_sends_an_event_stream_reads(hub, streams, model, session, open_client):
    client = open_client(hub, "user_123")
    client.join(session["room_id"])
    ack = client.ask("send", room_id=session["room_id"], session_id=session["session_id"], text="Hello")
    call = model.next_call()
    reader = streams.get(session_id=session["session_id"])
    assert reader.first["stream_id"] == ack["stream_id"]
    call.say("From both")
    call.finish()
    assert reader.finish()["status"] == "completed" and reader.text == "From both"


def test_deleting_the_room_ends_its_event_streams(hub, streams, model, session, ask):
    stream, call = ask("one")
    hub.ask("DELETE", f"/api/rooms/{session['room_id']}?user_id=user_123")
    call.wait_closed()
    assert stream.finish()["status"] == "cancelled" and stream.text == "one"


def test_a_large_answer_is_whole(hub, streams, model, session):
    stream = streams.post("Much", session_id=session["session_id"])
    call = model.next_call()
    pieces = [f"{number:06d} äöü\n" * 64 for number in range(300)]
    for piece in pieces:
        call.say(piece)
    call.finish()
    assert stream.finish()["status"] == "completed" and stream.text == "".join(pieces)


def test_the_documented_page_works(hub, streams, model):
    """The documents' own example: a room, a session, a stream, a stop."""
    room = hub.ask("POST", "/api/rooms", 201, json={"user_id": "user_123", "room_name": "New Conversation"})
    session = hub.ask("POST", "/api/session/create", 201, json={"user_id": "user_123", "room_id": room["room_id"]})
    names = {"session_id": session["session_id"], "room_id": room["room_id"]}
    stream = streams.get(**names, query="Tell me")
    call = model.next_call()
    call.say("Some of it")
    stream.wait_text("Some of it")
    stream.response.close()
    assert stop(hub, session)["partial_response"] == "Some of it"
    call.wait_closed()
    assert streams.get(**names).status_code == 204
    listed = hub.ask("GET", "/api/rooms?user_id=user_123&limit=20&offset=0")
    assert listed["rooms"][0]["last_message"]["agent_response"] == "Some of it"
