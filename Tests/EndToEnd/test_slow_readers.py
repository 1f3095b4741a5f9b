"""Readers that are slow, absent or dead: each is its own problem and nobody else's."""

import socket
import threading

from hub_process import DEADLINE_SECONDS
from raw_client import PING, PONG, RawConnection

LIMITS = {"log_tail_bytes_max": 64 * 1024}


def slow_socket(hub):
    """A connection whose kernel takes little, so that a reader who does not read is soon behind."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(DEADLINE_SECONDS)
    connection.connect((hub.host, hub.port))
    connection.settimeout(None)
    return connection


def test_a_reader_that_stood_still_gets_the_whole_text_in_fewer_frames(start_hub, open_client, model):
    hub = start_hub(config=model.config(limits=LIMITS))
    room_id = hub.create_room()
    fast = open_client(hub)
    connection = slow_socket(hub)
    slow = open_client(hub, "ben", sock=connection, max_queue=1)
    for client in (fast, slow):
        client.join(room_id)
    ack = fast.ask("send", room_id=room_id, text="Everything, please")
    call = model.next_call()
    text = ""
    for number in range(6000):
        piece = f"{number}: what happened next, schön ausführlich erzählt; " * 2
        call.say(piece)
        text += piece
        # The fast reader keeps up with every few tokens, so what it gets is not merged on the way in already.
        if number % 40 == 39:
            fast.wait_text(ack["stream_id"], len(text.encode()))
    call.finish()
    assert fast.wait("stream-ended", stream_id=ack["stream_id"])["status"] == "completed"
    assert fast.texts[ack["stream_id"]] == text

    # It has read next to nothing yet: others are served, and then it catches up without a hole.
    assert hub.http.get("/healthz").status_code == 200
    # To a window of 4 KiB a kernel may send by probes only, five a second; how fast it does is not the matter here.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    slow.wait("stream-ended", stream_id=ack["stream_id"])
    assert slow.texts[ack["stream_id"]] == text
    assert slow.positions[room_id] == fast.positions[room_id]
    assert len(slow.frames) < len(fast.frames)
    assert hub.row(room_id, ack["exchange_id"])["agent_response"] == text


def test_many_watchers_of_many_rooms_hold_the_same_texts(start_hub, open_client, model):
    hub = start_hub(config=model.config(limits=LIMITS | {"streams_per_user": 100}))
    rooms = [hub.create_room("ann", f"Room {number}") for number in range(8)]
    clients = [open_client(hub, f"user{number % 3}") for number in range(6)]
    for client in clients:
        client.post("join", rooms=[{"room_id": room_id} for room_id in rooms])
        for room_id in rooms:
            client.wait("joined", room_id=room_id)
    streams = {room_id: clients[0].ask("send", room_id=room_id, text=room_id)["stream_id"] for room_id in rooms}
    calls = {call.question: call for call in (model.next_call() for _ in rooms)}
    texts = {room_id: "".join(f"{room_id} {number} ü " for number in range(200)) for room_id in rooms}

    def tell(room_id):
        for start in range(0, len(texts[room_id]), 37):
            calls[room_id].say(texts[room_id][start:start + 37])
        calls[room_id].finish()

    tellers = [threading.Thread(target=tell, args=(room_id,)) for room_id in rooms]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join()
    for client in clients:
        for room_id, stream_id in streams.items():
            assert client.wait("stream-ended", stream_id=stream_id)["status"] == "completed"
            assert client.texts[stream_id] == texts[room_id]


def test_a_dead_connection_is_noticed_and_a_silent_one_that_lives_is_kept(start_hub):
    hub = start_hub(config={"limits": {"heartbeat_seconds": 1}})
    with RawConnection(hub) as dead, RawConnection(hub) as alive:
        for connection in (dead, alive):
            assert connection.upgrade().status == 101
            connection.next_json("welcome")
        for _ in range(3):
            opcode, payload = alive.next_frame()
            assert opcode == PING
            alive.send_frame(PONG, payload)
        assert dead.next_frame()[0] == PING
        assert dead.close_code() == 4003


def test_a_socket_may_join_a_hundred_rooms(start_hub, open_client):
    hub = start_hub(config={"limits": {"rooms_per_user": 0}})
    rooms = [hub.create_room() for _ in range(101)]
    client = open_client(hub)
    client.post("join", rooms=[{"room_id": room_id} for room_id in rooms[:100]])
    for room_id in rooms[:100]:
        client.wait("joined", room_id=room_id)
    assert client.refusal("join", room_id=rooms[100])["code"] == "VALIDATION_ERROR"
    client.ask("leave", room_id=rooms[0])
    client.join(rooms[100])


def test_clients_that_vanish_in_mid_frame_leave_no_trace(start_hub, open_client, model):
    hub = start_hub(config=model.config())
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    for number in range(100):
        with RawConnection(hub) as connection:
            connection.upgrade(path=f"/ws?user_id=user{number % 7}")
            connection.send(b"\x81\xfe" + b"\x7f" * (number % 5))
    ack = client.ask("send", room_id=room_id, text="Still there?")
    call = model.next_call()
    call.say("Yes")
    call.finish()
    client.wait("stream-ended", stream_id=ack["stream_id"])
