"""Answers that a hub's end interrupted, asked for again by the next one: once, and only where that is wished for."""

import time

import pytest

LIMITS = {"restart_interrupted_seconds": 3600}


def told(call):
    return [message["content"] for message in call.body["messages"] if message["role"] != "system"]


def finish(call, text):
    call.say(text)
    call.finish()


def rows(hub, room_id):
    """Oldest first."""
    return hub.history(room_id)[::-1]


def wait_rows(hub, room_id, statuses):
    deadline = time.monotonic() + 30
    while [row["status"] for row in rows(hub, room_id)] != statuses:
        assert time.monotonic() < deadline, rows(hub, room_id)
        time.sleep(0.01)
    return rows(hub, room_id)


@pytest.fixture
def interrupted(start_hub, open_client, model):
    """A hub with a whole answer, one that runs and one that waits, and the names of the two."""
    hub = start_hub(config=model.config(LIMITS))
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    first = client.ask("send", room_id=room_id, text="One?")
    finish(model.next_call(), "One.")
    client.wait("stream-ended", stream_id=first["stream_id"])
    running = client.ask("send", room_id=room_id, text="Two?", message_id="k2", metadata={"tone": "dry"})
    waiting = [client.ask("send", room_id=room_id, text=text) for text in ("Three?", "And four?")]
    assert waiting[0]["exchange_id"] == waiting[1]["exchange_id"]
    model.next_call().say("Tw")
    client.wait_text(running["stream_id"], 2)
    return hub, room_id, running["exchange_id"], waiting[0]["exchange_id"]


def test_what_a_kill_interrupts_is_asked_for_again_once(interrupted, start_hub, open_client, model):
    hub, room_id, running, waiting = interrupted
    hub.kill()
    hub = start_hub(config=model.config(LIMITS), data=hub.data)
    watcher = open_client(hub, "ben")
    watcher.join(room_id)
    call = model.next_call()
    assert told(call) == ["One?", "One.", "Two?"]
    finish(call, "Two.")
    call = model.next_call()
    assert told(call)[-1] == "Three?\nAnd four?"
    call.say("Thr")
    _, old, old_waiting, new, new_waiting = wait_rows(
        hub, room_id, ["completed", "interrupted", "interrupted", "completed", "streaming"])
    assert (old["exchange_id"], old_waiting["exchange_id"]) == (running, waiting)
    assert (new["regenerate_of"], new_waiting["regenerate_of"]) == (running, waiting)
    assert (new["user_input"], new["agent_response"]) == ("Two?", "Two.") and "regenerate_of" not in old
    page = watcher.ask("history", room_id=room_id)["exchanges"]
    [message] = next(exchange for exchange in page if exchange.get("regenerate_of") == running)["messages"]
    assert message["message_id"] == f"restart_{running}" and message["user_id"] == "ann"
    assert message["metadata"] == {"tone": "dry"}

    # The second answer is interrupted again, and left at that.
    hub.kill()
    hub = start_hub(config=model.config(LIMITS), data=hub.data)
    statuses = [row["status"] for row in rows(hub, room_id)]
    assert statuses == ["completed", "interrupted", "interrupted", "completed", "interrupted"]
    client = open_client(hub)
    ack = client.ask("send", room_id=room_id, text="Are you there?")
    assert told(model.next_call())[-1] == "Are you there?" and not model.has_calls
    assert client.ask("cancel", stream_id=ack["stream_id"])["state"] == "accepted"
    assert len(rows(hub, room_id)) == 6


def test_what_a_stop_interrupts_is_asked_for_again_too(interrupted, start_hub, model):
    hub, room_id, running, waiting = interrupted
    assert hub.stop() == 0
    hub = start_hub(config=model.config(LIMITS), data=hub.data)
    finish(model.next_call(), "Two.")
    finish(model.next_call(), "Three and four.")
    after = wait_rows(hub, room_id, ["completed", "interrupted", "interrupted", "completed", "completed"])
    assert [row.get("regenerate_of") for row in after] == [None, None, None, running, waiting]


@pytest.mark.parametrize("limits", [{}, {"restart_interrupted_seconds": 1}], ids=["not wished for", "too long ago"])
def test_else_it_stays_interrupted(limits, interrupted, start_hub, open_client, model):
    hub, room_id, _, _ = interrupted
    hub.kill()
    time.sleep(1.1)
    hub = start_hub(config=model.config(limits), data=hub.data)
    client = open_client(hub)
    client.join(room_id)
    client.ask("send", room_id=room_id, text="Hello?")
    assert told(model.next_call())[-1] == "Hello?" and not model.has_calls
    assert [row["status"] for row in rows(hub, room_id)] == ["completed", "interrupted", "interrupted", "streaming"]


def test_what_cannot_be_asked_again_is_logged(interrupted, start_hub, open_client, model):
    hub, room_id, _, _ = interrupted
    hub.kill()
    hub = start_hub(config=model.config(LIMITS | {"streams_per_user": 1}), data=hub.data)
    finish(model.next_call(), "Two.")
    wait_rows(hub, room_id, ["completed", "interrupted", "interrupted", "completed"])
    assert 'an interrupted answer is not asked for again reason="you have 1 streams already"' in hub.stderr
