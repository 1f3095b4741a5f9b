"""Coming back on another connection: to answers that grow, that ended, that the log no longer has, after a kill."""

import pytest

from chat_client import ChatClient
from event_stream import StreamOpener

SMALL_TAIL = {"log_tail_bytes_max": 4096, "streams_per_user": 50}


def leave(client, room_id):
    """Closes a client's connection; returns its place, and the texts that it held."""
    place, texts = client.position(room_id), dict(client.texts)
    client.close()
    return place, texts


def come_back(open_client, hub, room_id, place, texts, **options):
    client: ChatClient = open_client(hub, **options)
    client.texts |= texts
    return client, client.join(room_id, after=place)


@pytest.mark.parametrize("ends", [False, True], ids=["all run", "one ended meanwhile, one began"])
def test_several_answers_of_a_room_go_on_where_they_were(start_hub, open_client, model, ends):
    hub = start_hub(config=model.config(limits={"streams_per_user": 50}))
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    streams, exchanges, calls = [], [], []

    def begin():
        session_id = client.ask("open-session", room_id=room_id)["session"]["session_id"]
        ack = client.ask("send", room_id=room_id, session_id=session_id, text="Count")
        streams.append(ack["stream_id"])
        exchanges.append(ack["exchange_id"])
        calls.append(model.next_call())

    for _ in range(3):
        begin()
    said = {stream_id: "" for stream_id in streams}

    def say(*numbers):
        for number in numbers:
            word = f"wörd {number} "
            calls[number].say(word)
            said[streams[number]] = said.get(streams[number], "") + word

    say(0, 1, 2, 1, 0)
    for stream_id in streams:
        client.wait_text(stream_id, len(said[stream_id].encode()))
    watcher = open_client(hub, "ben")
    watcher.join(room_id)
    place, texts = leave(watcher, room_id)
    say(2, 0, 1, 0)
    if ends:
        calls[1].finish()
        client.wait("stream-ended", stream_id=streams[1])
        begin()
        say(3)
    for stream_id in streams:
        client.wait_text(stream_id, len(said[stream_id].encode()))
    for user in ("ben", "ann", "ida", "eve"):
        back, joined = come_back(open_client, hub, room_id, place, texts, user=user)
        assert joined["recovered"] is True and joined["seq"] == place["seq"]
        for stream_id in streams:
            assert back.wait_text(stream_id, len(said[stream_id].encode())) == said[stream_id]
    say(0, 2)
    for number in range(len(streams)):
        if not (ends and number == 1):
            calls[number].finish()
    for stream_id, exchange_id in zip(streams, exchanges):
        back.wait("stream-ended", stream_id=stream_id)
        assert back.texts[stream_id] == said[stream_id] == hub.row(room_id, exchange_id)["agent_response"]


@pytest.mark.parametrize("noise", [False, True], ids=["chunks alone", "other entries too"])
def test_behind_what_was_trimmed_there_is_the_text_or_a_snapshot(start_hub, open_client, model, noise):
    hub = start_hub(config=model.config(limits=SMALL_TAIL))
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="Count")
    call = model.next_call()
    call.say("begin ")
    client.wait_text(ack["stream_id"], 6)
    watcher = open_client(hub, "ben")
    watcher.join(room_id)
    place, texts = leave(watcher, room_id)
    text = "begin "
    for number in range(200):
        call.say(f"word {number} ")
        text += f"word {number} "
        if noise and number % 10 == 0:
            client.ask("send", room_id=room_id, text="noise " * 100, respond=False)
    client.wait_text(ack["stream_id"], len(text))
    back, joined = come_back(open_client, hub, room_id, place, texts)
    assert joined["recovered"] is not noise
    if noise:
        assert [stream["text"] for stream in joined["streams"]] == [text]
    assert back.wait_text(ack["stream_id"], len(text)) == text
    call.finish()
    assert back.wait("stream-ended", stream_id=ack["stream_id"])["length"] == len(text)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_after_a_restart_a_snapshot_tells_every_end(start_hub, open_client, model, how):
    hub = start_hub(config=model.config())
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    first = client.ask("send", room_id=room_id, text="One?")
    call = model.next_call()
    call.say("On")
    client.wait_text(first["stream_id"], 2)
    place, texts = leave(client, room_id)
    other = open_client(hub, "ann")
    other.join(room_id)
    call.say("e.")
    call.finish()
    other.wait("stream-ended", stream_id=first["stream_id"])
    second = other.ask("send", room_id=room_id, text="Two?")
    model.next_call().say("Tw")
    other.wait_text(second["stream_id"], 2)
    getattr(hub, how)()
    hub = start_hub(config=model.config(), data=hub.data)
    # Its log has begun again, and may be longer than it was at the place, or shorter.
    for _ in range(2):
        back, joined = come_back(open_client, hub, room_id, place, texts)
        assert joined["recovered"] is False and joined["epoch"] != place["epoch"] and joined["streams"] == []
        ended = {exchange["exchange_id"]: exchange for exchange in joined["history"]}
        assert (ended[first["exchange_id"]]["status"], ended[first["exchange_id"]]["text"]) == ("completed", "One.")
        assert ended[second["exchange_id"]]["status"] == "interrupted"
        assert "Two.".startswith(ended[second["exchange_id"]]["text"])
        for number in range(12):
            back.ask("send", room_id=room_id, text=f"Hello {number}", respond=False)


def test_an_event_stream_does_not_go_on_in_another_hubs_answer(start_hub, open_client, model):
    hub = start_hub(config=model.config())
    session = hub.open_session()
    opener = StreamOpener(hub)
    stream = opener.post("One?", session_id=session["session_id"])
    model.next_call().say("On")
    stream.wait_text("On")
    last_id = stream.last_id
    opener.close()
    hub.kill()
    hub = start_hub(config=model.config(), data=hub.data)
    opener = StreamOpener(hub)
    query = {"session_id": session["session_id"], "query": "One?"}
    for running in (False, True):
        lost = opener.get(last_id=last_id, **query)
        last = lost.finish()
        assert last["status"] == "error" and last["error_code"] == "POSITION_LOST" and lost.text == "", lost.events
        if not running:
            assert not model.has_calls and len(hub.history(session["room_id"])) == 1, "it was not sent again"
            other = opener.post("Two?", session_id=session["session_id"])
            call = model.next_call()
            call.say("Another answer")
            other.wait_text("Another answer")
    call.finish()
    assert other.finish()["status"] == "completed"
    opener.close()
