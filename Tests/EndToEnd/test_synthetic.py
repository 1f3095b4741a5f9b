"""The agent for load tests, `synthetic`, and the frame `release`: what a client can count on to check every byte."""

import json
import time

import pytest

from synthetic_text import STAMP, token


def check(text, size, seed=1):
    """Checks a stamped text byte for byte; returns the stamps."""
    data = text.encode()
    assert len(data) % size == 0
    stamps = []
    for number in range(len(data) // size):
        said = data[number * size:(number + 1) * size]
        assert said[STAMP:] == token(seed, number, size)[STAMP:], f"token {number}"
        stamps.append(int(said[:STAMP], 16))
    return stamps


@pytest.fixture
def hub(start_hub):
    return start_hub("--synthetic", config={"limits": {"agent_silent_seconds": 1}})


def start(client, room_id, **script):
    return client.ask("send", room_id=room_id, text=json.dumps(script), agent_type="synthetic")["stream_id"]


def room(hub, *clients):
    room_id = hub.create_room()
    for client in clients:
        client.join(room_id)
    return room_id


@pytest.mark.parametrize("size", [20, 120, 16_384])
def test_the_text_is_the_scripts(hub, open_client, size):
    client, watcher = open_client(hub), open_client(hub, "bob")
    room_id = room(hub, client, watcher)
    stream = start(client, room_id, seed=42, tokens=60, token_bytes=size, stamps=False)
    expected = b"".join(token(42, number, size) for number in range(60)).decode()
    for reader in (client, watcher):
        ended = reader.wait("stream-ended", stream_id=stream)
        assert (ended["status"], ended["finish_reason"], ended["length"]) == ("completed", "stop", 60 * size)
        assert reader.texts[stream] == expected
    exchange = client.ask("history", room_id=room_id)["exchanges"][-1]
    assert exchange["text"] == expected and exchange["agent_type"] == "synthetic"


def test_stamps_are_the_instants_at_which_tokens_left(hub, open_client):
    client = open_client(hub)
    room_id = room(hub, client)
    before = time.monotonic_ns()
    stream = start(client, room_id, tokens=40, rate=100, burst=2)
    client.wait("stream-ended", stream_id=stream)
    stamps = check(client.texts[stream], 120)
    assert len(stamps) == 40
    assert stamps == sorted(stamps) and before < stamps[0] and stamps[-1] < time.monotonic_ns()
    for number, stamp in enumerate(stamps):
        assert stamp >= stamps[0] + number // 2 * 20_000_000, f"token {number} came early"


def test_a_closed_loop_goes_on_by_anyones_release(hub, open_client):
    client, watcher = open_client(hub), open_client(hub, "bob")
    room_id = room(hub, client, watcher)
    stream = start(client, room_id, tokens=300, window=4)
    for number in range(296):
        reader = (client, watcher)[number % 2]
        reader.wait_text(stream, (number + 4) * 120)
        assert len(reader.texts[stream].encode()) == (number + 4) * 120, "the window is respected"
        reader.post("release", stream_id=stream, tokens=1)
    for reader in (client, watcher):
        assert reader.wait("stream-ended", stream_id=stream)["status"] == "completed"
        assert len(check(reader.texts[stream], 120)) == 300
        assert "error" not in reader.types()


def test_what_is_released_before_the_first_token_counts(hub, open_client):
    client = open_client(hub)
    room_id = room(hub, client)
    stream = start(client, room_id, tokens=5, window=0)
    client.post("release", stream_id=stream, tokens=5)
    assert client.wait("stream-ended", stream_id=stream)["length"] == 600


def test_it_stays_within_its_window_until_the_watchdog_ends_it(hub, open_client):
    client = open_client(hub)
    room_id = room(hub, client)
    stream = start(client, room_id, window=7)
    ended = client.wait("stream-ended", stream_id=stream)
    assert (ended["status"], ended["error"]["code"], ended["length"]) == ("failed", "AGENT_TIMEOUT", 840)


def test_it_stalls_fails_and_pauses_as_told(hub, open_client):
    client = open_client(hub)
    room_id = room(hub, client)
    ended = client.wait("stream-ended", stream_id=start(client, room_id, stall_after=3))
    assert (ended["status"], ended["error"]["code"], ended["length"]) == ("failed", "AGENT_TIMEOUT", 360)
    ended = client.wait("stream-ended", stream_id=start(client, room_id, fail_after=2))
    assert (ended["status"], ended["error"]["code"], ended["length"]) == ("failed", "AGENT_FAILED", 240)
    assert ended["error"]["message"] == "the script fails after 2 tokens"
    stream = start(client, room_id, tokens=4, pause_after=2, pause_ms=300)
    assert client.wait("stream-ended", stream_id=stream)["status"] == "completed"
    stamps = check(client.texts[stream], 120)
    assert stamps[2] - stamps[1] >= 300_000_000


def test_a_cancel_stops_it(hub, open_client):
    client = open_client(hub)
    room_id = room(hub, client)
    stream = start(client, room_id, rate=50, tokens=1_000_000)
    client.wait_text(stream, 240)
    assert client.ask("cancel", stream_id=stream)["state"] == "accepted"
    assert client.wait("stream-ended", stream_id=stream)["status"] == "cancelled"
    check(client.texts[stream], 120)
    client.post("release", stream_id=stream, tokens=1)
    client.catch_up()
    assert "error" not in client.types()


@pytest.mark.parametrize("text, reason", [
    ("Hello?", """the message's last line must be a JSON object, such as {"tokens":100}"""),
    ('{"tokens": 1000001}', "tokens must be a whole number from 0 to 1000000"),
    ('{"token": 1}', "there is no field token"),
])
def test_what_is_no_script_fails_with_the_reason(hub, open_client, text, reason):
    client = open_client(hub)
    room_id = room(hub, client)
    stream = client.ask("send", room_id=room_id, text=text, agent_type="synthetic")["stream_id"]
    error = client.wait("stream-ended", stream_id=stream, status="failed")["error"]
    assert error == {"code": "AGENT_FAILED", "message": reason}


def test_a_hub_that_was_not_told_has_neither_agent_nor_frame(start_hub, open_client):
    hub = start_hub()
    client = open_client(hub)
    room_id = room(hub, client)
    assert client.refusal("release", stream_id="stream_1", tokens=1)["code"] == "UNKNOWN_FRAME"
    assert client.refusal("send", room_id=room_id, text="{}", agent_type="synthetic")["code"] == "VALIDATION_ERROR"
