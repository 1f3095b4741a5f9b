"""A room from its creation to its deletion, with three devices on two loops and with curl."""

import json
import subprocess

import pytest

from hub_process import DEADLINE_SECONDS, environment


def curl(hub, method, path, body=None):
    """Debian's curl: status and decoded body."""
    command = ["curl", "--silent", "--show-error", "--max-time", str(DEADLINE_SECONDS), "--noproxy", "*"]
    command += ["--request", method, "--write-out", "\n%{http_code}", hub.url + path]
    if body is not None:
        command += ["--header", "Content-Type: application/json", "--data", json.dumps(body)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=DEADLINE_SECONDS + 5)
    assert done.returncode == 0, done.stderr
    text, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(text)


@pytest.fixture
def room_id(hub):
    body = {"user_id": "ann", "room_name": "Kidney", "metadata": {"tags": ["kidney"]}}
    status, answer = curl(hub, "POST", "/api/rooms", body)
    assert status == 201 and answer["success"]
    room = answer["data"]
    assert room["user_id"] == "ann" and room["room_name"] == "Kidney" and room["metadata"] == {"tags": ["kidney"]}
    assert room["message_count"] == 0 and room["created_at"] == room["last_activity"]
    assert room["created_at"].endswith("Z") and len(room["created_at"]) == len("2025-01-26T10:30:00.000Z")
    return room["room_id"]


def test_three_devices_hold_the_same_text_in_the_same_order(hub, model, open_client, room_id):
    sender, second, third = (open_client(hub, user) for user in ("ann", "ann", "ben"))
    for client in (sender, second, third):
        joined = client.join(room_id)
        assert joined["recovered"] is False and joined["history"] == [] and joined["streams"] == []
        assert joined["room"]["room_name"] == "Kidney"

    ack = sender.ask("send", room_id=room_id, text="Was gibt es Neues?", message_id="m1")
    call = model.next_call()
    assert call.question == "Was gibt es Neues?"
    pieces = ["Grüße", " aus", " 東京", " 🎈", "\n\n", "Ende."] * 20
    for piece in pieces:
        call.say(piece)
    call.finish()
    ended = sender.wait("stream-ended", stream_id=ack["stream_id"])
    assert ended["status"] == "completed" and ended["finish_reason"] == "stop"
    assert ended["exchange_id"] == ack["exchange_id"]

    text = "".join(pieces)
    for client in (sender, second, third):
        client.wait("stream-ended", stream_id=ack["stream_id"])
        assert client.texts[ack["stream_id"]] == text
        message = client.wait("message", exchange_id=ack["exchange_id"])
        assert message["text"] == "Was gibt es Neues?" and message["user_id"] == "ann" and message["role"] == "user"
        assert message["message_id"] == "m1"
    assert second.positions == third.positions == sender.positions

    mark = sender.frames.index(ack)
    types = sender.types(mark)
    assert types[:3] == ["ack", "message", "stream-started"] and types[-1] == "stream-ended"
    assert set(types[3:-1]) <= {"chunk", "chunks"}
    row = hub.row(room_id, ack["exchange_id"])
    assert row["agent_response"] == text and row["status"] == "completed" and row["user_input"] == "Was gibt es Neues?"


def test_any_device_may_cancel_and_all_see_the_same_end(hub, model, open_client, room_id):
    sender, other = open_client(hub, "ann"), open_client(hub, "ben")
    for client in (sender, other):
        client.join(room_id)
    ack = sender.ask("send", room_id=room_id, text="A long story, please")
    call = model.next_call()
    call.say("Once upon a time")
    for client in (sender, other):
        client.wait_text(ack["stream_id"], 16)

    assert other.ask("cancel", stream_id=ack["stream_id"])["state"] == "accepted"
    call.wait_closed()
    for client in (sender, other):
        ended = client.wait("stream-ended", stream_id=ack["stream_id"])
        assert ended["status"] == "cancelled" and client.texts[ack["stream_id"]] == "Once upon a time"
    accepted = next(i for i, frame in enumerate(other.frames) if frame.get("state") == "accepted")
    assert "chunk" not in other.types(accepted)
    again = other.ask("cancel", stream_id=ack["stream_id"])
    assert (again["state"], again["status"]) == ("ended", "cancelled")
    assert hub.row(room_id, ack["exchange_id"])["status"] == "cancelled"


def test_a_device_that_was_away_gets_exactly_what_it_missed(hub, model, open_client, room_id):
    sender, traveller = open_client(hub, "ann"), open_client(hub, "ann")
    for client in (sender, traveller):
        client.join(room_id)
    ack = sender.ask("send", room_id=room_id, text="Count")
    call = model.next_call()
    call.say("one ")
    traveller.wait_text(ack["stream_id"], 4)
    traveller.ask("leave", room_id=room_id)
    left_at = len(traveller.frames)
    seen = traveller.position(room_id)
    text_before = traveller.texts[ack["stream_id"]]

    for word in ("two ", "three ", "four "):
        call.say(word)
    sender.wait_text(ack["stream_id"], len("one two three four "))
    traveller.catch_up()
    assert "chunk" not in traveller.types(left_at)

    joined = traveller.join(room_id, after=seen)
    assert joined["recovered"] is True and joined["seq"] == seen["seq"] and joined["epoch"] == seen["epoch"]
    assert traveller.texts[ack["stream_id"]] == text_before
    traveller.wait_text(ack["stream_id"], len("one two three four "))
    call.say("five")
    call.finish()
    for client in (sender, traveller):
        client.wait("stream-ended", stream_id=ack["stream_id"])
        assert client.texts[ack["stream_id"]] == "one two three four five"

    # The same over a new connection, after the end.
    late = open_client(hub, "ann")
    late.texts[ack["stream_id"]] = text_before
    assert late.join(room_id, after=seen)["recovered"] is True
    late.wait("stream-ended", stream_id=ack["stream_id"])
    assert late.texts[ack["stream_id"]] == "one two three four five"

    # A position that the log does not have gets a snapshot.
    for after in ({"epoch": "another", "seq": 1}, {"epoch": seen["epoch"], "seq": 10**6}):
        newcomer = open_client(hub, "ann")
        joined = newcomer.join(room_id, after=after)
        assert joined["recovered"] is False
        assert [exchange["text"] for exchange in joined["history"]] == ["one two three four five"]


def test_a_newcomer_in_mid_stream_goes_on_where_the_snapshot_ends(hub, model, open_client, room_id):
    sender = open_client(hub)
    sender.join(room_id)
    ack = sender.ask("send", room_id=room_id, text="Count")
    call = model.next_call()
    call.say("one two ")
    sender.wait_text(ack["stream_id"], 8)
    newcomer = open_client(hub, "ben")
    [stream] = newcomer.join(room_id)["streams"]
    assert stream["stream_id"] == ack["stream_id"] and stream["state"] == "streaming" and stream["text"] == "one two "
    assert [message["text"] for message in stream["messages"]] == ["Count"]
    call.say("three")
    call.finish()
    newcomer.wait("stream-ended", stream_id=ack["stream_id"])
    assert newcomer.texts[ack["stream_id"]] == "one two three"


def test_a_message_is_sent_once_however_often_it_is_sent(hub, model, open_client, room_id):
    client = open_client(hub)
    client.join(room_id)
    first = client.ask("send", room_id=room_id, text="Hello", message_id="key")
    model.next_call().finish()
    client.wait("stream-ended", stream_id=first["stream_id"])
    again = client.ask("send", room_id=room_id, text="Hello", message_id="key")
    assert again["duplicate"] is True and again["exchange_id"] == first["exchange_id"]
    assert again["status"] == "completed"
    assert client.refusal("send", room_id=room_id, text="Bye", message_id="key")["code"] == "IDEMPOTENCY_CONFLICT"
    assert len(hub.history(room_id)) == 1 and not model.has_calls


def test_a_busy_room_queues_or_rejects(hub, model, open_client, room_id):
    client = open_client(hub)
    client.join(room_id)
    first = client.ask("send", room_id=room_id, text="First")
    call = model.next_call()
    second = client.ask("send", room_id=room_id, text="Second")
    third = client.ask("send", room_id=room_id, text="Third")
    assert second["queued"] is True and third["queued"] is True
    assert third["exchange_id"] == second["exchange_id"] != first["exchange_id"]
    assert client.refusal("send", room_id=room_id, text="Now", if_busy="reject")["code"] == "STREAM_ACTIVE"
    call.say("1")
    call.finish()
    client.wait("stream-ended", stream_id=first["stream_id"])
    call = model.next_call()
    assert "Second" in call.question and "Third" in call.question
    call.say("2 and 3")
    call.finish()
    client.wait("stream-ended", stream_id=second["stream_id"])
    rows = hub.history(room_id)
    assert [row["agent_response"] for row in rows] == ["2 and 3", "1"]


def test_the_history_is_paged_over_http_and_over_the_socket(hub, model, open_client, room_id):
    client = open_client(hub)
    client.join(room_id)
    for number in range(5):
        ack = client.ask("send", room_id=room_id, text=f"Question {number}")
        call = model.next_call()
        call.say(f"Answer {number}")
        call.finish()
        client.wait("stream-ended", stream_id=ack["stream_id"])

    status, answer = curl(hub, "GET", f"/api/rooms/{room_id}/history?limit=2&offset=2")
    page = answer["data"]
    assert status == 200 and (page["total"], page["page"], page["page_size"]) == (5, 2, 2)
    assert [row["agent_response"] for row in page["history"]] == ["Answer 2", "Answer 1"]
    assert page["history"][0]["room_id"] == room_id and page["history"][0]["agent_type"] == "model"

    page = client.ask("history", room_id=room_id, limit=2)
    assert [exchange["text"] for exchange in page["exchanges"]] == ["Answer 3", "Answer 4"]
    page = client.ask("history", room_id=room_id, limit=10, before=page["next_before"])
    assert [exchange["text"] for exchange in page["exchanges"]] == ["Answer 0", "Answer 1", "Answer 2"]
    assert "next_before" not in page

    # The next question brings along what was said before.
    client.ask("send", room_id=room_id, text="Question 5")
    call = model.next_call()
    assert [m["content"] for m in call.body["messages"][-3:]] == ["Question 4", "Answer 4", "Question 5"]
    call.finish()


def test_rename_and_delete_over_both_faces(hub, open_client, room_id):
    member, watcher = open_client(hub, "ann"), open_client(hub, "ben")
    for client in (member, watcher):
        client.join(room_id)

    status, answer = curl(hub, "PATCH", f"/api/rooms/{room_id}?user_id=ann",
                          {"room_name": "Dialysis", "metadata": {"tags": None, "level": 2}})
    assert status == 200 and answer["data"]["room_name"] == "Dialysis" and answer["data"]["metadata"] == {"level": 2}
    for client in (member, watcher):
        assert client.wait("room-updated", room_id=room_id)["room"]["room_name"] == "Dialysis"

    mark = len(watcher.frames)
    assert member.ask("update-room", room_id=room_id, room_name="Nephrology")["room"]["room_name"] == "Nephrology"
    assert watcher.wait("room-updated", since=mark)["by"] == "ann"
    status, answer = curl(hub, "GET", f"/api/rooms/{room_id}")
    assert status == 200 and answer["data"]["room_name"] == "Nephrology"

    for path in (f"/api/rooms/{room_id}?user_id=ben",):
        for method, body in (("PATCH", {"room_name": "Mine"}), ("DELETE", None)):
            status, answer = curl(hub, method, path, body)
            assert status == 403 and answer["error_code"] == "ACCESS_DENIED" and answer["success"] is False
            assert answer["path"] == f"/api/rooms/{room_id}"

    status, answer = curl(hub, "DELETE", f"/api/rooms/{room_id}?user_id=ann")
    assert status == 200 and answer["success"]
    for client in (member, watcher):
        assert client.wait("room-deleted", room_id=room_id)["by"] == "ann"
        assert client.wait("left", room_id=room_id)["reason"] == "deletion"
    for method, path in (("GET", ""), ("DELETE", "?user_id=ann"), ("GET", "/history")):
        name, _, query = path.partition("?")
        full = f"/api/rooms/{room_id}{name}" + (f"?{query}" if query else "")
        status, answer = curl(hub, method, full)
        assert status == 404 and answer["error_code"] == "NOT_FOUND"
    assert member.refusal("join", room_id=room_id)["code"] == "NOT_FOUND"
    assert member.refusal("send", room_id=room_id, text="Anyone?")["code"] == "NOT_FOUND"


def test_deleting_a_room_ends_its_stream_first(hub, model, open_client, room_id):
    client = open_client(hub)
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="Go on")
    call = model.next_call()
    call.say("On and on")
    client.wait_text(ack["stream_id"], 9)
    client.ask("delete-room", room_id=room_id)
    call.wait_closed()
    client.wait("left", room_id=room_id)
    log = [frame["type"] for frame in client.frames if frame.get("room_id") == room_id and "seq" in frame]
    assert log[-2:] == ["stream-ended", "room-deleted"]
    assert client.wait("stream-ended", stream_id=ack["stream_id"])["status"] == "cancelled"


def test_the_list_of_rooms_sorts_pages_and_previews(hub, model, open_client):
    ids = [hub.create_room("lea", name) for name in ("Beta", "Gamma", "Alpha")]
    hub.create_room("other", "Not hers")
    client = open_client(hub, "lea")
    client.join(ids[0])
    ack = client.ask("send", room_id=ids[0], text="?" * 300)
    call = model.next_call()
    call.say("!" * 300)
    call.finish()
    client.wait("stream-ended", stream_id=ack["stream_id"])

    status, answer = curl(hub, "GET", "/api/rooms?user_id=lea&limit=2&offset=0&sort_by=room_name")
    data = answer["data"]
    assert status == 200 and (data["total"], data["page"], data["page_size"]) == (3, 1, 2)
    assert [room["room_name"] for room in data["rooms"]] == ["Alpha", "Beta"]
    last = data["rooms"][1]["last_message"]
    assert last["user_input"].startswith("?" * 200) and last["agent_response"].startswith("!" * 200)
    assert last["agent_type"] == "model" and data["rooms"][0]["last_message"] is None
    assert data["rooms"][1]["message_count"] == 1

    by_activity = client.ask("list-rooms")
    assert by_activity["total"] == 3 and by_activity["rooms"][0]["room_name"] == "Beta"
    for order, page in (("last_activity", by_activity), ("created_at", client.ask("list-rooms", sort_by="created_at"))):
        times = [room[order] for room in page["rooms"]]
        assert len(times) == 3 and times == sorted(times, reverse=True)
    rest = client.ask("list-rooms", sort_by="room_name", limit=200, offset=1)
    assert [room["room_name"] for room in rest["rooms"]] == ["Beta", "Gamma"]


def test_a_users_list_is_live_on_every_socket(hub, model, open_client):
    active, idle, stranger = open_client(hub, "ann"), open_client(hub, "ann"), open_client(hub, "ben")
    room = active.ask("create-room", room_name="Live")["room"]
    room_id = room["room_id"]
    assert idle.wait("room-added", room_id=room_id)["room"]["room_name"] == "Live"

    active.join(room_id)
    ack = active.ask("send", room_id=room_id, text="Hello")
    call = model.next_call()
    call.say("Hello, you")
    call.finish()
    active.wait("stream-ended", stream_id=ack["stream_id"])
    summary = idle.find(
        lambda frame: frame["type"] == "room-summary"
        and (frame.get("last_message") or {}).get("agent_response") == "Hello, you", "the summary")
    assert summary["room_id"] == room_id and summary["room_name"] == "Live" and summary["message_count"] == 1

    active.ask("update-room", room_id=room_id, room_name="Livelier")
    idle.wait("room-summary", room_id=room_id, room_name="Livelier")
    active.ask("delete-room", room_id=room_id)
    idle.wait("room-removed", room_id=room_id)
    stranger.catch_up()
    assert not [frame for frame in stranger.frames if frame["type"].startswith("room-")]


def test_the_number_of_rooms_is_limited_and_deleted_ones_do_not_count(start_hub):
    hub = start_hub(config={"limits": {"rooms_per_user": 2}})
    first, _ = hub.create_room("ann"), hub.create_room("ann")
    status, answer = curl(hub, "POST", "/api/rooms", {"user_id": "ann"})
    assert status == 400 and answer["error_code"] == "ROOM_LIMIT_EXCEEDED"
    hub.create_room("ben")
    curl(hub, "DELETE", f"/api/rooms/{first}?user_id=ann")
    hub.create_room("ann")
