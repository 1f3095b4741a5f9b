"""Messages to a busy session, over HTTP and WebSocket: one turn, each acknowledged, none lost, in their order."""

import pytest

QUESTIONS = [f"Question {number}" for number in range(5)]


class Sender:
    """Someone who sends to one session, by turns over a socket and over HTTP, each message with a key."""

    def __init__(self, hub, client, session):
        self.hub = hub
        self.client = client
        self.session = session

    def by_socket(self, number):
        return self.client.post(
            "send", room_id=self.session["room_id"], session_id=self.session["session_id"], text=QUESTIONS[number],
            message_id=f"m{number}")

    def by_http(self, number, streams):
        return streams.post(QUESTIONS[number], session_id=self.session["session_id"], message_id=f"m{number}")

    def send(self, number, streams):
        """Sends by one way or the other, up to the acknowledgement; returns the stream that it names."""
        if number % 2:
            reader = self.by_http(number, streams)
            reader.wait_comment()
            return reader.last_id.rpartition("/")[2]
        ack = self.client.answer(self.by_socket(number))
        assert ack["type"] == "ack" and ack["queued"] is True, ack
        return ack["stream_id"]


@pytest.fixture
def busy(hub, streams, model, open_client):
    """A sender to a session whose agent is at work, its event stream and its call."""
    session = hub.open_session("ann")
    client = open_client(hub)
    client.join(session["room_id"])
    stream = streams.post("First", session_id=session["session_id"])
    call = model.next_call()
    call.say("Well, ")
    stream.wait_text("Well, ")
    return Sender(hub, client, session), stream, call


def finish(call, stream):
    call.finish()
    assert stream.finish()["status"] == "completed"


def test_five_rapid_sends_by_both_ways_become_one_turn(hub, streams, model, busy):
    sender, stream, call = busy
    answers = {sender.send(number, streams) for number in range(5)}
    assert len(answers) == 1 and not model.has_calls
    finish(call, stream)
    call = model.next_call()
    assert call.question == "\n".join(QUESTIONS)
    call.say("To all five")
    call.finish()
    [stream_id] = answers
    exchange_id = sender.client.wait("stream-ended", stream_id=stream_id)["exchange_id"]
    messages = [
        (frame["text"], frame["message_id"]) for frame in sender.client.frames
        if frame["type"] == "message" and frame["exchange_id"] == exchange_id]
    assert messages == [(text, f"m{number}") for number, text in enumerate(QUESTIONS)]
    newest, oldest = hub.history(sender.session["room_id"])
    assert newest["user_input"] == "\n".join(QUESTIONS) and newest["agent_response"] == "To all five"
    assert oldest["user_input"] == "First" and not model.has_calls


def test_five_sends_at_once_are_taken_in_their_order(hub, model, busy):
    sender, stream, call = busy
    ids = [sender.by_socket(number) for number in range(5)]
    answers = [sender.client.answer(id) for id in ids]
    assert [answer["type"] for answer in answers] == ["ack"] * 5
    assert len({answer["exchange_id"] for answer in answers}) == 1
    came = [frame["id"] for frame in sender.client.frames if frame["type"] == "ack" and frame["id"] in ids]
    assert came == ids
    finish(call, stream)
    call = model.next_call()
    assert call.question == "\n".join(QUESTIONS)
    call.finish()


def test_a_send_while_the_agent_begins_joins_no_turn_that_has_left(hub, model, busy):
    """What is sent from the moment when the waiting turn starts is the next turn's."""
    sender, stream, call = busy
    ids = []
    for number in range(5):
        ids.append(sender.by_socket(number))
        if number == 2:
            finish(call, stream)
    asked = []
    while sum(question.count("\n") + 1 for question in asked) < 5:
        call = model.next_call()
        asked.append(call.question)
        call.finish()
    assert "\n".join(asked) == "\n".join(QUESTIONS)
    rows = hub.history(sender.session["room_id"])
    assert [row["user_input"] for row in reversed(rows)] == ["First", *asked]
    for id, question in zip(ids, QUESTIONS):
        exchange_id = sender.client.answer(id)["exchange_id"]
        assert question in hub.row(sender.session["room_id"], exchange_id)["user_input"].split("\n")


@pytest.mark.parametrize("acknowledged", range(6))
def test_a_kill_between_them_loses_and_doubles_none(hub, start_hub, streams, model, open_client, busy, acknowledged):
    sender, stream, call = busy
    for number in range(acknowledged):
        sender.send(number, streams)
    ids = [sender.by_socket(number) for number in range(acknowledged, 5)]
    hub.kill()
    sender.client.wait_close()
    known = acknowledged + len([
        frame for frame in sender.client.frames if frame["type"] == "ack" and frame["id"] in ids])

    hub = start_hub(config=model.config(), data=hub.data)
    room_id = sender.session["room_id"]

    def stored():
        rows = [row for row in reversed(hub.history(room_id)) if row["user_input"] != "First"]
        return [text for row in rows for text in row["user_input"].split("\n")]

    before = stored()
    assert before == QUESTIONS[:len(before)] and len(before) >= known
    assert {row["status"] for row in hub.history(room_id)} == {"interrupted"}

    # Its client does not know which were taken, and sends them all again.
    client = open_client(hub)
    client.join(room_id)
    again = Sender(hub, client, sender.session)
    answers = [client.answer(again.by_socket(number)) for number in range(5)]
    assert [answer.get("duplicate", False) for answer in answers] == [number < len(before) for number in range(5)]
    asked = 0
    while asked < 5 - len(before):
        call = model.next_call()
        asked += call.question.count("\n") + 1
        call.finish()
    assert stored() == QUESTIONS
