"""What survives: `kill -9`, a second process on the same data, and a stop that is asked for."""

import time

from hub_process import run_command

PATIENT = {"streams_per_user": 500, "rooms_per_user": 100}


def test_kill_in_mid_stream_keeps_the_text_up_to_the_last_checkpoint(start_hub, open_client, model):
    hub = start_hub(config=model.config())
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="A long story, please")
    waiting = client.ask("send", room_id=room_id, text="And another one")
    call = model.next_call()
    said = ""
    # A checkpoint comes every 250 ms or 4 KiB and announces itself to nobody: so we go on for longer than that.
    until = time.monotonic() + 1
    while len(said) < 10_000 or time.monotonic() < until:
        piece = f"{len(said)} geschah es, daß … "
        call.say(piece)
        said += piece
        client.wait_text(ack["stream_id"], len(said.encode()))
    position = client.position(room_id)
    hub.kill()
    assert client.wait_close() == 1006

    hub = start_hub(config=model.config(), data=hub.data)
    rows = {row["exchange_id"]: row for row in hub.history(room_id)}
    assert rows.keys() == {ack["exchange_id"], waiting["exchange_id"]}
    row = rows[ack["exchange_id"]]
    assert row["status"] == "interrupted" and row["user_input"] == "A long story, please"
    assert row["agent_response"] and said.startswith(row["agent_response"])
    print(f"{len(row['agent_response'])} of {len(said)} characters")
    row = rows[waiting["exchange_id"]]
    assert row["status"] == "interrupted" and row["user_input"] == "And another one" and row["agent_response"] == ""

    client = open_client(hub)
    joined = client.join(room_id, after=position)
    assert joined["recovered"] is False and joined["epoch"] != position["epoch"] and joined["streams"] == []
    assert [exchange["status"] for exchange in joined["history"]] == ["interrupted", "interrupted"]
    ack = client.ask("send", room_id=room_id, text="Where were we?")
    while model.has_calls:
        call = model.next_call()
    call = model.next_call()
    call.say("Here.")
    call.finish()
    assert client.wait("stream-ended", stream_id=ack["stream_id"])["status"] == "completed"


def test_kill_in_a_burst_loses_no_acknowledged_message(start_hub, open_client, model):
    hub = start_hub(config=model.config(limits=PATIENT))
    rooms = [hub.create_room("ann", f"Room {number}") for number in range(10)]
    client = open_client(hub)
    sent = {}
    for number in range(150):
        room_id = rooms[number % len(rooms)]
        text = f"Message {number}"
        sent[client.post("send", room_id=room_id, text=text, message_id=f"m{number}")] = (room_id, text)
    answered = []
    while len(answered) < 60:
        frame = client.find(lambda frame: True, "an answer", since=len(client.frames))
        if frame.get("id") in sent:
            assert frame["type"] == "ack", (len(answered), str(frame))
            answered.append(frame)
    hub.kill()
    client.wait_close()
    answered = [frame for frame in client.frames if frame.get("id") in sent and frame["type"] == "ack"]

    hub = start_hub(config=model.config(limits=PATIENT), data=hub.data)
    stored = {room_id: hub.history(room_id, limit=200) for room_id in rooms}
    for frame in answered:
        room_id, text = sent[frame["id"]]
        [row] = [row for row in stored[room_id] if row["exchange_id"] == frame["exchange_id"]]
        assert text in row["user_input"].split("\n"), row
    rows = [row for rows in stored.values() for row in rows]
    assert {row["status"] for row in rows} == {"interrupted"}
    texts = [text for row in rows for text in row["user_input"].split("\n")]
    assert len(texts) == len(set(texts)), "a message is there twice"

    # Sent again, the acknowledged ones are known by their key, the others are taken now.
    client = open_client(hub)
    known = {frame["id"]: frame for frame in answered}
    for number, (id, (room_id, text)) in enumerate(sent.items()):
        again = client.ask("send", room_id=room_id, text=text, message_id=f"m{number}")
        if id in known:
            assert again["duplicate"] is True and again["exchange_id"] == known[id]["exchange_id"]
            assert again["status"] == "interrupted"


def test_what_was_completed_is_there_after_a_kill(start_hub, open_client, model):
    hub = start_hub(config=model.config())
    room_id = hub.create_room("ann", "Kept", tags=["a"])
    client = open_client(hub)
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="Hello")
    call = model.next_call()
    call.say("Hello, you")
    call.finish()
    client.wait("stream-ended", stream_id=ack["stream_id"])
    client.ask("update-room", room_id=room_id, room_name="Kept well")
    hub.kill()
    hub = start_hub(config=model.config(), data=hub.data)
    row = hub.row(room_id, ack["exchange_id"])
    assert (row["status"], row["agent_response"]) == ("completed", "Hello, you")
    room = hub.http.get(f"/api/rooms/{room_id}").json()["data"]
    assert (room["room_name"], room["metadata"], room["message_count"]) == ("Kept well", {"tags": ["a"]}, 1)
    joined = open_client(hub).join(room_id)
    assert [exchange["text"] for exchange in joined["history"]] == ["Hello, you"]


def test_a_second_process_on_the_same_data_is_refused(start_hub):
    hub = start_hub()
    second = run_command("serve", "--port", "0", "--data", hub.data)
    assert second.returncode == 1 and second.stdout == ""
    sentences = [line for line in second.stderr.splitlines() if str(hub.data) in line]
    assert sentences and all(line.startswith("hubbub: ") for line in sentences), second.stderr
    assert hub.http.get("/readyz").status_code == 200
    hub.stop()
    start_hub(data=hub.data)


def test_a_stop_settles_what_runs_when_its_time_is_up(start_hub, open_client, model):
    hub = start_hub(config=model.config(limits={"drain_seconds": 1}))
    room_id = hub.create_room()
    client, idle = open_client(hub), open_client(hub, "ben")
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="A long story, please")
    call = model.next_call()
    call.say("Once upon a time")
    client.wait_text(ack["stream_id"], 16)
    hub.signal_stop()
    for socket in (client, idle):
        assert socket.wait("draining")["reconnect_after_ms"] >= 0
    ended = client.wait("stream-ended", stream_id=ack["stream_id"])
    assert ended["status"] == "interrupted" and client.texts[ack["stream_id"]] == "Once upon a time"
    call.wait_closed()
    for socket in (client, idle):
        assert socket.wait_close() in (4001, 1001)
    assert hub.wait() == 0

    hub = start_hub(data=hub.data)
    row = hub.row(room_id, ack["exchange_id"])
    assert (row["status"], row["agent_response"]) == ("interrupted", "Once upon a time")


def test_a_stop_lets_a_stream_end_that_can(start_hub, open_client, model):
    hub = start_hub(config=model.config(limits={"drain_seconds": 20}))
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="A short story, please")
    call = model.next_call()
    call.say("Once ")
    client.wait_text(ack["stream_id"], 5)
    hub.signal_stop()
    client.wait("draining")
    refused = client.refusal("send", room_id=room_id, text="One more")
    assert refused["code"] == "DRAINING" and refused["retry_after_ms"] > 0
    call.say("upon a time.")
    call.finish()
    ended = client.wait("stream-ended", stream_id=ack["stream_id"])
    assert ended["status"] == "completed" and client.texts[ack["stream_id"]] == "Once upon a time."
    assert client.wait_close() in (4001, 1001)
    assert hub.wait() == 0
