"""Answers made anew, by all faces: what the model is told, what is stored, and after the hub was killed."""

import pytest

from chat_client import ChatClient


@pytest.fixture
def room_id(hub):
    return hub.create_room()


def told(call):
    """What the model was told of the conversation, without its question."""
    return [message["content"] for message in call.body["messages"] if message["role"] != "system"][:-1]


def turn(client, model, room_id, text, **fields):
    """A question whose answer is `re <question>`; returns the exchange and what the model was told before it."""
    ack = client.ask("send", room_id=room_id, text=text, **fields)
    call = model.next_call()
    call.say(f"re {text}")
    call.finish()
    client.wait("stream-ended", stream_id=ack["stream_id"])
    return ack["exchange_id"], told(call)


def test_an_answer_is_made_anew_and_both_stay(hub, model, open_client, room_id):
    client, watcher = open_client(hub), open_client(hub, "ben")
    client.join(room_id)
    watcher.join(room_id)
    turn(client, model, room_id, "one")
    old, _ = turn(client, model, room_id, "two")
    new, context = turn(client, model, room_id, "two, shorter", regenerate_of=old)
    assert context == ["one", "re one"]
    for type in ("message", "stream-started"):
        assert watcher.wait(type, exchange_id=new)["regenerate_of"] == old
    _, context = turn(client, model, room_id, "three")
    assert context == ["one", "re one", "two, shorter", "re two, shorter"]
    rows = hub.history(room_id)
    assert [row["user_input"] for row in rows] == ["three", "two, shorter", "two", "one"]
    assert [row.get("regenerate_of") for row in rows] == [None, old, None, None]
    page = client.ask("history", room_id=room_id)["exchanges"]
    assert [exchange.get("regenerate_of") for exchange in page] == [None, None, old, None]


def test_a_running_answer_is_stopped_and_made_anew_in_one_step(hub, model, open_client, room_id):
    client = open_client(hub)
    client.join(room_id)
    first = client.ask("send", room_id=room_id, text="Tell me")
    call = model.next_call()
    call.say("At great length")
    client.wait_text(first["stream_id"], 5)
    second = client.ask("send", room_id=room_id, text="Tell me", regenerate_of=first["exchange_id"],
                        if_busy="interrupt", message_id="again")
    call.wait_closed()
    assert client.wait("stream-ended", stream_id=first["stream_id"])["status"] == "cancelled"
    call = model.next_call()
    assert told(call) == [] and call.question == "Tell me"
    streams = open_client(hub, "ben").join(room_id)["streams"]
    assert [stream["regenerate_of"] for stream in streams] == [first["exchange_id"]]
    call.say("Briefly")
    call.finish()
    client.wait("stream-ended", stream_id=second["stream_id"])
    again = client.ask("send", room_id=room_id, text="Tell me", regenerate_of=first["exchange_id"],
                       message_id="again")
    assert again["duplicate"] and again["exchange_id"] == second["exchange_id"] and not model.has_calls


def test_over_http_too_in_the_old_ones_session(hub, model, streams):
    session = hub.open_session()
    answers = []
    for fields in ({"query": "Why?"}, {"query": "Why, briefly?"}):
        if answers:
            fields["regenerate_of"] = answers[0]["exchange_id"]
        stream = streams.post(session_id=session["session_id"], **fields)
        call = model.next_call()
        assert told(call) == []
        call.say("Because")
        call.finish()
        stream.finish()
        answers.append(stream.first)
    row = hub.row(session["room_id"], answers[1]["exchange_id"])
    assert row["regenerate_of"] == answers[0]["exchange_id"]
    hub.refusal("POST", "/api/chat/message", 404, "NOT_FOUND", json={
        "query": "Why?", "session_id": session["session_id"], "regenerate_of": "exchange_none"})
    elsewhere = hub.open_session(room_id=session["room_id"])
    hub.refusal("POST", "/api/chat/message", 400, "VALIDATION_ERROR", json={
        "query": "Why?", "session_id": elsewhere["session_id"], "regenerate_of": answers[0]["exchange_id"]})


def test_a_killed_hub_remembers_the_branch(start_hub, model):
    hub = start_hub(config=model.config())
    room_id = hub.create_room()
    with ChatClient(hub) as client:
        client.join(room_id)
        turn(client, model, room_id, "one")
        old, _ = turn(client, model, room_id, "two")
        turn(client, model, room_id, "three", regenerate_of=old)
    hub.kill()
    hub = start_hub(config=model.config(), data=hub.data)
    with ChatClient(hub) as client:
        client.join(room_id)
        _, context = turn(client, model, room_id, "four")
        assert context == ["one", "re one", "three", "re three"]
        _, context = turn(client, model, room_id, "five", regenerate_of=old)
        assert context == ["one", "re one"]
