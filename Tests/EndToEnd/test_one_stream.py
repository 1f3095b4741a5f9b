"""One answer and everyone who follows it: sockets on both loops and event streams, while it is stopped or runs out."""

import itertools
import random
import threading
import time

import pytest

# A stop has nothing to wait for. Generous for a debug build on a busy machine, and far below every time limit.
AT_ONCE_SECONDS = 2


class Talker:
    """A model that goes on until nobody listens."""

    def __init__(self, call):
        self.said = ""
        self._call = call
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self):
        pick = random.Random(7)
        try:
            for number in itertools.count():
                piece = pick.choice([f"{number} ", "äöü ", "東京", " 🎈👋🏽 ", "\n\n", "x" * 200])
                self.said += piece
                self._call.say(piece)
                time.sleep(0.0005)
        except OSError:
            pass

    def join(self):
        self._call.wait_closed()
        self._thread.join()


@pytest.fixture
def session(hub):
    return hub.open_session("ann")


@pytest.fixture
def sockets(hub, session, open_client):
    """So many that each of the two loops has some."""
    clients = [open_client(hub, user) for user in ("ann", "ben") for _ in range(4)]
    for client in clients:
        client.join(session["room_id"])
    return clients


def ends(client, stream_id):
    """The stream's frames behind its last chunk."""
    frames = [frame for frame in client.frames if frame.get("stream_id") == stream_id]
    while frames[0]["type"] in ("stream-started", "chunk"):
        frames.pop(0)
    return [frame for frame in frames if frame["type"] != "chunks"]


def test_a_stop_at_any_moment_leaves_everyone_with_one_text(hub, model, streams, session, sockets):
    for number in range(10):
        sender = streams.post("Go on", session_id=session["session_id"])
        talker = Talker(model.next_call())
        reader = streams.get(session_id=session["session_id"])
        sender.wait_length(number * 300 + 1)
        stopped = hub.ask("POST", f"/api/session/{session['session_id']}/stop")
        answered_at = time.monotonic()
        text = stopped["partial_response"]
        assert stopped["status"] == "stop_requested" and talker.said.startswith(text)
        stream_id = sender.first["stream_id"]
        for stream in (sender, reader):
            last = stream.finish()
            assert last == {"status": "cancelled"} and stream.text == text
        for client in sockets:
            client.wait("stream-ended", stream_id=stream_id)
        assert time.monotonic() - answered_at < AT_ONCE_SECONDS
        talker.join()
        for client in sockets:
            client.catch_up()
            [ended] = ends(client, stream_id)
            assert ended["status"] == "cancelled" and ended["length"] == len(text.encode())
            assert client.texts[stream_id] == text
        [row] = hub.history(session["room_id"], limit=1)
        assert (row["status"], row["agent_response"]) == ("cancelled", text)
    assert len({tuple(client.positions.items()) for client in sockets}) == 1


def test_a_stop_of_a_waiting_turn_ends_it_for_everyone_too(hub, model, streams, session, sockets):
    running = streams.post("First", session_id=session["session_id"])
    call = model.next_call()
    call.say("One")
    running.wait_text("One")
    waiting = streams.post("Second", session_id=session["session_id"])
    waiting.wait_comment()
    assert hub.ask("POST", f"/api/session/{session['session_id']}/stop")["partial_response"] == "One"
    ids = [running.first["stream_id"], waiting.last_id.rpartition("/")[2]]
    for stream, stream_id, text in zip((running, waiting), ids, ("One", "")):
        assert stream.finish() == {"status": "cancelled"} and stream.text == text
        for client in sockets:
            ended = client.wait("stream-ended", stream_id=stream_id)
            assert ended["status"] == "cancelled" and ended["length"] == len(text)
    call.wait_closed()
    assert not model.has_calls


def test_who_comes_at_any_moment_has_the_whole_answer(hub, model, streams, session, sockets, open_client):
    sender = streams.post("Count", session_id=session["session_id"])
    call = model.next_call()
    readers, late = [], []
    text = ""
    for number in range(30):
        piece = f"{number}: schön 🎈 "
        text += piece
        call.say(piece)
        if number % 6 == 5:
            readers.append(streams.get(session_id=session["session_id"]))
            late.append(open_client(hub, "cara"))
            late[-1].join(session["room_id"])
    call.finish()
    for stream in (sender, *readers):
        assert stream.finish()["status"] == "completed" and stream.text == text
    for client in (*sockets, *late):
        client.wait("stream-ended", stream_id=sender.first["stream_id"])
        assert client.texts[sender.first["stream_id"]] == text
