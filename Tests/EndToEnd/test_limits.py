"""The limits that a test elsewhere does not meet, each at its edge: what still goes, and what happens to one more."""

import sys

import pytest

from raw_client import RawConnection

LINE_MAX = 1024 * 1024
PAYLOAD_MAX = 64 * 1024
RESPONSE_MAX = 1024 * 1024
NAMES_MAX = 100


def refuse_over_http(hub, session, code, status):
    """Asks for a stream that is one too many."""
    response = hub.http.post("/api/chat/message", json={"query": "More", "session_id": session["session_id"]})
    assert response.status_code == status and response.json()["error_code"] == code, response.text
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["content-type"] == "application/json"


def refuse_over_socket(client, session, code):
    refusal = client.refusal("send", **names(session), text="More")
    assert refusal["code"] == code and refusal["retry_after_ms"] > 0, refusal


def names(session):
    return {"room_id": session["room_id"], "session_id": session["session_id"]}


def test_sixteen_messages_wait_and_a_seventeenth_does_not(hub, streams, model, open_client):
    session = hub.open_session("ann")
    client = open_client(hub)
    client.join(session["room_id"])
    running = streams.post("First", session_id=session["session_id"])
    call = model.next_call()
    for number in range(8):
        streams.post(f"h{number}", session_id=session["session_id"]).wait_comment()
        assert client.ask("send", **names(session), text=f"s{number}")["queued"] is True
    refuse_over_http(hub, session, "QUEUE_FULL", 429)
    refuse_over_socket(client, session, "QUEUE_FULL")

    # Other sessions of the room have a queue of their own.
    assert client.ask("send", room_id=session["room_id"], text="Elsewhere")["stream_id"]
    elsewhere = model.next_call()
    elsewhere.finish()
    call.finish()
    running.finish()
    call = model.next_call()
    assert call.question == "\n".join(f"{way}{number}" for number in range(8) for way in "hs")
    assert client.ask("send", **names(session), text="Now it goes")["queued"] is True
    call.finish()
    model.next_call().finish()


def test_a_user_has_five_streams_and_waiting_ones_count(hub, model, open_client):
    sessions = [hub.open_session("ann") for _ in range(5)]
    client = open_client(hub)
    for session in sessions[:4]:
        client.ask("send", **names(session), text="Hello")
        model.next_call()
    waiting = client.ask("send", **names(sessions[0]), text="And then?")
    assert waiting["queued"] is True
    refuse_over_socket(client, sessions[4], "STREAM_LIMIT_EXCEEDED")
    refuse_over_http(hub, sessions[4], "STREAM_LIMIT_EXCEEDED", 429)
    assert client.ask("send", **names(sessions[0]), text="Joins")["stream_id"] == waiting["stream_id"]

    # A refused send takes nothing; a cancelled one gives back what it took.
    client.join(sessions[0]["room_id"])
    client.ask("cancel", stream_id=waiting["stream_id"])
    client.wait("stream-ended", stream_id=waiting["stream_id"])
    assert client.ask("send", **names(sessions[4]), text="Hello")["stream_id"]
    refuse_over_socket(client, sessions[0], "STREAM_LIMIT_EXCEEDED")


def test_the_nodes_streams_are_limited_for_all_together(start_hub, model, open_client):
    hub = start_hub(config=model.config(limits={"streams_per_node": 2}))
    sessions = {user: hub.open_session(user) for user in ("ann", "ben", "cara")}
    clients = {user: open_client(hub, user) for user in sessions}
    for user in ("ann", "ben"):
        clients[user].join(sessions[user]["room_id"])
        ack = clients[user].ask("send", **names(sessions[user]), text="Hello")
        call = model.next_call()
    refuse_over_http(hub, sessions["cara"], "CAPACITY_EXCEEDED", 503)
    refuse_over_socket(clients["cara"], sessions["cara"], "CAPACITY_EXCEEDED")
    call.finish()
    clients["ben"].wait("stream-ended", stream_id=ack["stream_id"])
    assert clients["cara"].ask("send", **names(sessions["cara"]), text="Hello")["stream_id"]
    refuse_over_socket(clients["ben"], sessions["ben"], "CAPACITY_EXCEEDED")


def test_fifty_sockets_of_a_user_and_no_more(hub, open_client):
    clients = [open_client(hub) for _ in range(50)]
    with RawConnection(hub) as connection:
        assert connection.upgrade(path="/ws?user_id=ann").status == 101
        assert connection.close_code() == 4202
    open_client(hub, "ben")
    clients.pop().close()
    open_client(hub)


# Agents.

PROGRAM = """
import json, sys
line = json.loads(sys.stdin.readline())["input"]
kind, size = line.split()
size = int(size)
if kind == "line":
    head, tail = '{"type":"text","delta":"Hi","pad":"', '"}'
    print(head + "x" * (size - len(head) - len(tail)) + tail, flush=True)
elif kind == "text":
    for at in range(0, size, 1000):
        print(json.dumps({"type": "text", "delta": "x" * min(1000, size - at)}), flush=True)
else:
    fields = {"action": {"action": "go", "pad": ""}, "tool_result": {"id": "c", "result": ""},
              "tool_call": {"id": "c", "name": "n", "arguments": {"a": ""}}}[kind]
    pad = "x" * (size - len(json.dumps(fields, separators=(",", ":"))))
    if kind == "action": fields["pad"] = pad
    if kind == "tool_result": fields["result"] = pad
    if kind == "tool_call": fields["arguments"]["a"] = pad
    print(json.dumps({"type": kind} | fields), flush=True)
print('{"type":"finished"}', flush=True)
"""


@pytest.fixture
def ask(start_hub, open_client):
    """Asks the program for so many bytes of something; returns the frame that ended its stream."""
    agent = {"agent_type": "size", "connector": "command", "command": [sys.executable, "-c", PROGRAM]}
    hub = start_hub(config={"agents": [agent], "default_agent": "size"})
    client = open_client(hub)
    room_id = hub.create_room()
    client.join(room_id)

    def ask(kind, size):
        ack = client.ask("send", room_id=room_id, text=f"{kind} {size}")
        ended = client.wait("stream-ended", stream_id=ack["stream_id"])
        row = hub.row(room_id, ack["exchange_id"])
        assert row["status"] == ended["status"] and row["agent_response"] == client.texts[ack["stream_id"]]
        return ended
    return ask


def test_a_programs_line_has_at_most_1_mib(ask):
    ended = ask("line", LINE_MAX)
    assert ended["status"] == "completed" and ended["length"] == 2
    ended = ask("line", LINE_MAX + 1)
    assert ended["status"] == "failed" and ended["error"]["code"] == "AGENT_FAILED"
    assert ended["length"] == 0 and str(LINE_MAX) in ended["error"]["message"]


@pytest.mark.parametrize("kind", ["tool_call", "tool_result", "action"])
def test_a_tools_payload_has_at_most_64_kib(ask, kind):
    assert ask(kind, PAYLOAD_MAX)["status"] == "completed"
    ended = ask(kind, PAYLOAD_MAX + 1)
    assert ended["status"] == "failed" and ended["error"]["code"] == "AGENT_FAILED"


def test_a_response_has_at_most_1_mib(ask):
    ended = ask("text", RESPONSE_MAX)
    assert (ended["status"], ended["finish_reason"], ended["length"]) == ("completed", "stop", RESPONSE_MAX)
    ended = ask("text", RESPONSE_MAX + 1)
    assert (ended["status"], ended["finish_reason"], ended["length"]) == ("completed", "length", RESPONSE_MAX)


# Presence.


def test_above_a_hundred_people_only_their_number_is_told(hub, open_client):
    room_id = hub.create_room()
    users = [f"user{number:03d}" for number in range(NAMES_MAX + 1)]
    clients = [open_client(hub, user) for user in users]
    watcher = clients[0]
    for client in clients[:NAMES_MAX]:
        client.join(room_id)
    second = open_client(hub, users[0])
    second.join(room_id)
    presence = watcher.wait("presence", room_id=room_id, user_count=NAMES_MAX)
    assert presence["users"] == users[:NAMES_MAX], "a person with two sockets is one"
    joined = clients[NAMES_MAX].join(room_id)
    assert joined["presence"]["user_count"] in (NAMES_MAX, NAMES_MAX + 1)
    presence = watcher.wait("presence", room_id=room_id, user_count=NAMES_MAX + 1)
    assert "users" not in presence and presence["agents"] == []
    mark = len(watcher.frames)
    clients[NAMES_MAX].close()
    presence = watcher.wait("presence", since=mark, room_id=room_id, user_count=NAMES_MAX)
    assert presence["users"] == users[:NAMES_MAX]
