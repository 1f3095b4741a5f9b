"""What stands beside a room's log: who is here, who writes, who has read what, what agents do; messages for people."""

import pytest


@pytest.fixture
def room_id(hub):
    return hub.create_room()


def test_everyone_sees_who_is_here_and_what_the_agent_does(hub, model, open_client, room_id):
    ann, ben = open_client(hub), open_client(hub, "ben")
    ann.join(room_id)
    assert ben.join(room_id)["presence"]["user_count"] >= 1
    for client in (ann, ben):
        client.wait("presence", room_id=room_id, users=["ann", "ben"])
    ack = ben.ask("send", room_id=room_id, text="Hello")
    call = model.next_call()
    agent = {"agent_type": "model", "stream_id": ack["stream_id"]}
    ann.wait("presence", agents=[agent | {"state": "thinking"}])
    function = {"name": "look", "arguments": "{}"}
    call.delta(tool_calls=[{"index": 0, "id": "c1", "type": "function", "function": function}])
    call.say("Well")
    ann.wait("presence", agents=[agent | {"state": "answering"}])
    call.finish("tool_calls")
    ann.wait("stream-ended")
    mark = len(ann.frames)
    ben.close()
    ann.wait("presence", since=mark, users=["ann"], agents=[])


def test_a_dead_agent_does_not_look_alive(hub, model, open_client, room_id):
    ann = open_client(hub)
    ann.join(room_id)
    ann.ask("send", room_id=room_id, text="Hello")
    call = model.next_call()
    call.say("Well")
    ann.find(lambda frame: frame["type"] == "presence" and frame["agents"], "an agent at work")
    mark = len(ann.frames)
    call.cut()
    ann.wait("presence", since=mark, agents=[])
    assert ann.wait("stream-ended")["status"] == "failed"


def test_who_writes_and_who_has_read_what(hub, model, open_client, room_id):
    ann, ben, away = open_client(hub), open_client(hub, "ben"), open_client(hub)
    assert ben.refusal("typing", room_id=room_id, active=True)["code"] == "VALIDATION_ERROR"
    for client in (ann, ben):
        client.join(room_id)
    ben.post("typing", room_id=room_id, active=True)
    ann.wait("typing", room_id=room_id, users=["ben"])
    ben.post("typing", room_id=room_id, active=False)
    ann.wait("typing", room_id=room_id, users=[])

    exchanges = []
    for number in range(3):
        exchanges.append(ben.ask("send", room_id=room_id, text=f"Question {number}")["exchange_id"])
        model.next_call().finish()
        ben.wait("stream-ended", exchange_id=exchanges[-1])
    [room] = hub.ask("GET", "/api/rooms?user_id=ann")["rooms"]
    assert room["unread"] == 3
    ann.post("read", room_id=room_id, exchange_id=exchanges[1])
    ben.find(lambda frame: frame["type"] == "read" and [
        (mark["user_id"], mark["exchange_id"]) for mark in frame["marks"]] == [("ann", exchanges[1])], "ann's mark")
    away.wait("room-summary", room_id=room_id, unread=1)
    assert ann.ask("list-rooms")["rooms"][0]["unread"] == 1


def test_a_message_for_people_is_seen_stored_and_not_answered(hub, model, open_client, room_id):
    ann, ben = open_client(hub), open_client(hub, "ben")
    for client in (ann, ben):
        client.join(room_id)
    ack = ann.ask("send", room_id=room_id, text="Just us", respond=False, message_id="m1")
    assert "stream_id" not in ack
    assert ben.wait("message", exchange_id=ack["exchange_id"])["text"] == "Just us"
    again = ann.ask("send", room_id=room_id, text="Just us", respond=False, message_id="m1")
    assert again["duplicate"] and again["status"] == "completed"
    row = hub.row(room_id, ack["exchange_id"])
    assert row["user_input"] == "Just us" and row["agent_response"] == ""
    ann.ask("send", room_id=room_id, text="And you?")
    call = model.next_call()
    assert [message["content"] for message in call.body["messages"]] == ["And you?"], "agents are not told of it"
    call.finish()
    assert ben.wait("stream-ended") and ben.types().count("stream-started") == 1
