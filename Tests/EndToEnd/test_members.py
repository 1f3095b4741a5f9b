"""Members and their roles, over both faces: who may what, who learns of it, and what ends with a membership."""

import pytest

from chat_client import ChatClient
from event_stream import EventStream

LIMIT = 1000


@pytest.fixture
def room_id(hub):
    return hub.create_room()


def path(room_id, user):
    return f"/api/rooms/{room_id}/members/{user}"


def add(hub, room_id, user, role="editor", status=201):
    return hub.ask("PUT", path(room_id, user), status, json={"user_id": "ann", "role": role})


def test_members_over_both_faces(hub, open_client, room_id):
    ann, ben = open_client(hub), open_client(hub, "ben")
    ann.join(room_id)
    member = add(hub, room_id, "ben", "viewer")
    assert member["room_id"] == room_id and (member["user_id"], member["role"]) == ("ben", "viewer")
    assert ben.wait("room-added")["room"]["room_id"] == room_id
    entry = ann.wait("member-joined", user_id="ben")
    assert entry["role"] == "viewer" and entry["by"] == "ann" and entry["joined_at"] == member["joined_at"]
    assert add(hub, room_id, "ben", "editor", 200)["joined_at"] == member["joined_at"]
    ann.ask("set-member", room_id=room_id, user_id="cyd", role="viewer")
    for room in (hub.ask("GET", f"/api/rooms/{room_id}"), ben.ask("get-room", room_id=room_id)["room"]):
        assert [(m["user_id"], m["role"]) for m in room["members"]] == [("ben", "editor"), ("cyd", "viewer")]
    for user, rooms in (("ben", 1), ("cyd", 1), ("dan", 0)):
        page = hub.ask("GET", f"/api/rooms?user_id={user}")
        assert page["total"] == rooms and [room["user_id"] for room in page["rooms"]] == ["ann"] * rooms
        assert all("members" not in room for room in page["rooms"])

    assert hub.ask("DELETE", path(room_id, "cyd") + "?user_id=cyd") == {"room_id": room_id, "user_id": "cyd"}
    assert ann.wait("member-left", user_id="cyd")["by"] == "cyd"
    ben.ask("remove-member", room_id=room_id, user_id="ben")
    ben.wait("room-removed", room_id=room_id)
    assert hub.ask("GET", f"/api/rooms/{room_id}")["members"] == []


@pytest.mark.parametrize("method, user, body, status, code", [
    ("PUT", "dan", {"user_id": "ben", "role": "editor"}, 403, "ACCESS_DENIED"),
    ("PUT", "dan", {"role": "editor"}, 400, "VALIDATION_ERROR"),
    ("PUT", "dan", {"user_id": "ann"}, 400, "VALIDATION_ERROR"),
    ("PUT", "dan", {"user_id": "ann", "role": "owner"}, 400, "VALIDATION_ERROR"),
    ("PUT", "ann", {"user_id": "ann", "role": "editor"}, 400, "VALIDATION_ERROR"),
    ("PUT", "d.n", {"user_id": "ann", "role": "editor"}, 404, "NOT_FOUND"),
    ("DELETE", "ben?user_id=dan", None, 403, "ACCESS_DENIED"),
    ("DELETE", "ben", None, 400, "VALIDATION_ERROR"),
    ("DELETE", "ann?user_id=ann", None, 400, "VALIDATION_ERROR"),
    ("DELETE", "dan?user_id=ann", None, 404, "NOT_FOUND"),
    ("GET", "ben", None, 405, "METHOD_NOT_ALLOWED"),
])
def test_what_cannot_be_is_refused(hub, room_id, method, user, body, status, code):
    add(hub, room_id, "ben")
    hub.refusal(method, path(room_id, user), status, code, json=body)
    assert [member["user_id"] for member in hub.ask("GET", f"/api/rooms/{room_id}")["members"]] == ["ben"]


def test_a_viewer_reads_only(hub, model, open_client, room_id):
    ann, ben, eve = open_client(hub), open_client(hub, "ben"), open_client(hub, "eve")
    add(hub, room_id, "ben", "viewer")
    ben.join(room_id)
    ack = ann.ask("send", room_id=room_id, text="Hello")
    call = model.next_call()
    call.say("One")
    ben.wait_text(ack["stream_id"], 3)
    for type, fields in (("send", {"text": "x"}), ("cancel", {}), ("clear-history", {}), ("open-session", {})):
        assert ben.refusal(type, room_id=room_id, **fields)["code"] == "ACCESS_DENIED"
    assert ben.refusal("cancel", stream_id=ack["stream_id"])["code"] == "ACCESS_DENIED"
    hub.refusal("POST", "/api/chat/message", 403, "ACCESS_DENIED",
                json={"query": "x", "room_id": room_id, "user_id": "ben"})
    hub.refusal("POST", "/api/session/create", 403, "ACCESS_DENIED", json={"room_id": room_id, "user_id": "ben"})
    # In open mode a stranger with the room's id may what an editor may.
    assert eve.ask("cancel", stream_id=ack["stream_id"])["state"] == "accepted"
    call.wait_closed()
    assert ben.wait("stream-ended")["status"] == "cancelled"
    add(hub, room_id, "ben", "editor", 200)
    assert ben.ask("send", room_id=room_id, text="Now I may")["stream_id"]
    model.next_call().finish()


def test_whose_membership_ends_is_cut_off_at_once(hub, model, streams, open_client, room_id):
    ann = open_client(hub)
    sockets = [open_client(hub, "ben") for _ in range(4)]
    add(hub, room_id, "ben")
    session = hub.open_session("ann", room_id)
    for client in [ann, *sockets[:3]]:
        client.join(room_id)
    ack = ann.ask("send", room_id=room_id, text="Hello", session_id=session["session_id"])
    call = model.next_call()
    call.say("One ")
    for client in [ann, *sockets[:3]]:
        client.wait_text(ack["stream_id"], 4)
    readers = [streams.get(session_id=session["session_id"], user_id="ben") for _ in range(2)]
    waiting = EventStream(streams.raw("GET", "/api/chat/message", params={"session_id": session["session_id"]}))
    for reader in readers:
        reader.wait_text("One ")
    ann.ask("remove-member", room_id=room_id, user_id="ben")
    for reader in readers:
        assert reader.finish()["error_code"] == "ACCESS_DENIED" and reader.text == "One "
        # A browser comes back after the last event, too: there is nothing more for it.
        back = streams.get(last_id=reader.last_id, session_id=session["session_id"], user_id="ben")
        assert back.status_code == 204
    for client in sockets[:3]:
        assert client.wait("left", room_id=room_id)["reason"] == "membership"
    sockets[3].wait("room-removed", room_id=room_id)
    call.say("two")
    call.finish()
    ann.wait("stream-ended", stream_id=ack["stream_id"])
    assert waiting.finish()["status"] == "completed" and waiting.text == "One two"
    for client in sockets[:3]:
        client.catch_up()
        assert client.texts[ack["stream_id"]] == "One " and "member-left" not in client.types()
    # Open mode: whoever has the room's id may join, as a stranger.
    assert sockets[0].join(room_id)["history"][0]["text"] == "One two"


def test_a_thousand_members_and_no_more(hub, room_id):
    with ChatClient(hub) as ann:
        ann.join(room_id)
        ids = [ann.post("set-member", room_id=room_id, user_id=f"user{number}", role="viewer")
               for number in range(LIMIT + 1)]
        answers = [ann.answer(id) for id in ids]
        assert all(answer["type"] == "ack" for answer in answers[:-1])
        assert answers[-1]["code"] == "VALIDATION_ERROR" and str(LIMIT) in answers[-1]["message"]
        assert ann.welcome["limits"]["members_per_room"] == LIMIT
        assert len(ann.ask("get-room", room_id=room_id)["room"]["members"]) == LIMIT
    hub.refusal("PUT", path(room_id, "late"), 400, "VALIDATION_ERROR", json={"user_id": "ann", "role": "editor"})
    hub.ask("DELETE", path(room_id, "user0") + "?user_id=ann")
    add(hub, room_id, "late")


def test_members_survive_a_kill(start_hub, model):
    hub = start_hub(config=model.config())
    room_id = hub.create_room()
    add(hub, room_id, "ben", "viewer")
    hub.kill()
    hub = start_hub(config=model.config(), data=hub.data)
    assert [m["role"] for m in hub.ask("GET", f"/api/rooms/{room_id}")["members"]] == ["viewer"]
    with ChatClient(hub, "ben") as ben:
        assert ben.refusal("send", room_id=room_id, text="x")["code"] == "ACCESS_DENIED"
