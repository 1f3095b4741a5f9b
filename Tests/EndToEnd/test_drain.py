"""A stop that is asked for: everyone learns how each answer ended, all is on disk, and then the process leaves."""

import os
import pty
import signal
import socket
import threading
import time

import httpx
import pytest

from event_stream import EventStream, StreamOpener
from hub_process import BINARY, DEADLINE_SECONDS

# From the end of the drain to the process's end. Generous for a debug build on a busy machine.
LEAVE_SECONDS = 8


class Watched:
    """A hub with an answer that runs, one that waits behind it, and one more for a client that wants one document."""

    def __init__(self, hub, model, open_client):
        self.hub = hub
        self.opener = StreamOpener(hub)
        self.session = hub.open_session("ann")
        self.room_id = self.session["room_id"]
        # So many that each of the two loops has some.
        self.sockets = [open_client(hub, user) for user in ("ann", "ben") for _ in range(4)]
        for client in self.sockets:
            client.join(self.room_id)
        sender = self.opener.post("Tell me", session_id=self.session["session_id"])
        self.call = model.next_call()
        self.call.say("Once ")
        sender.wait_text("Once ")
        self.stream_id = sender.first["stream_id"]
        self.streams = [sender, self.opener.get(session_id=self.session["session_id"])]
        self.waiting = self.sockets[0].ask(
            "send", room_id=self.room_id, session_id=self.session["session_id"], text="And then?")
        assert self.waiting["queued"] is True
        self._document = None
        self._reader = threading.Thread(target=self._read_document, daemon=True)
        self._reader.start()
        self.document_call = model.next_call()
        self.document_call.say("Whole")
        for client in self.sockets:
            client.wait_text(self.stream_id, 5)

    def _read_document(self):
        with httpx.Client(base_url=self.hub.url, timeout=DEADLINE_SECONDS, trust_env=False) as client:
            body = {"query": "In one piece", "user_id": "cara"}
            self._document = client.post("/api/chat/message", json=body, headers={"Accept": "application/json"})

    @property
    def document(self):
        self._reader.join(DEADLINE_SECONDS)
        assert self._document is not None, "it got no answer"
        return self._document.status_code, self._document.json()


@pytest.fixture
def watched(start_hub, open_client, model):
    started = []

    def start(drain_seconds):
        hub = start_hub(config=model.config(limits={"drain_seconds": drain_seconds}))
        started.append(Watched(hub, model, open_client))
        return started[-1]

    yield start
    for all in started:
        all.opener.close()


def test_at_the_end_of_its_time_everyone_learns_what_was_interrupted(watched, start_hub):
    all = watched(1)
    began = time.monotonic()
    all.hub.signal_stop()
    for client in all.sockets:
        assert client.wait("draining")["reconnect_after_ms"] > 0
        ended = client.wait("stream-ended", stream_id=all.stream_id)
        assert ended["status"] == "interrupted" and client.texts[all.stream_id] == "Once "
        assert client.wait("stream-ended", stream_id=all.waiting["stream_id"])["length"] == 0
        assert client.wait_close() == 4001
    for stream in all.streams:
        last = stream.finish()
        assert last["status"] == "error" and stream.text == "Once ", last
    status, body = all.document
    assert (status, body["error_code"]) == (503, "DRAINING")
    for call in (all.call, all.document_call):
        call.wait_closed()
    assert all.hub.wait() == 0
    assert 1 <= time.monotonic() - began < 1 + LEAVE_SECONDS

    hub = start_hub(data=all.hub.data)
    assert "settled unfinished" not in hub.stderr, "nothing was left to the next start"
    rows = [(row["status"], row["agent_response"]) for row in hub.history(all.room_id)]
    assert rows == [("interrupted", ""), ("interrupted", "Once ")]


def test_an_answer_that_ends_in_time_is_whole_for_everyone(watched, model, start_hub):
    all = watched(30)
    all.hub.signal_stop()
    for client in all.sockets:
        client.wait("draining")
    all.document_call.finish()
    assert all.document[0] == 200 and all.document[1]["data"]["response"] == "Whole"
    all.call.say("upon a time.")
    all.call.finish()
    for stream in all.streams:
        assert stream.finish()["status"] == "completed" and stream.text == "Once upon a time."
    # What waited behind it has its turn: it was acknowledged.
    call = model.next_call()
    call.say("They lived.")
    call.finish()
    for client in all.sockets:
        assert client.wait("stream-ended", stream_id=all.stream_id)["status"] == "completed"
        assert client.texts[all.stream_id] == "Once upon a time."
        assert client.wait("stream-ended", stream_id=all.waiting["stream_id"])["status"] == "completed"
        assert client.wait_close() == 4001
    began = time.monotonic()
    assert all.hub.wait() == 0
    assert time.monotonic() - began < LEAVE_SECONDS, "with nothing to wait for it leaves"
    rows = start_hub(data=all.hub.data).history(all.room_id)
    assert [row["status"] for row in rows] == ["completed", "completed"]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_wait(watched, start_hub, second):
    all = watched(3600)
    all.hub.signal_stop()
    all.sockets[0].wait("draining")
    began = time.monotonic()
    all.hub.process.send_signal(second)
    for client in all.sockets:
        assert client.wait("stream-ended", stream_id=all.stream_id)["status"] == "interrupted"
    for stream in all.streams:
        assert stream.finish()["status"] == "error"
    assert all.document[0] == 503
    assert all.hub.wait() == 0
    assert time.monotonic() - began < LEAVE_SECONDS
    hub = start_hub(data=all.hub.data)
    assert "settled unfinished" not in hub.stderr
    assert {row["status"] for row in hub.history(all.room_id)} == {"interrupted"}


def test_while_it_drains_nobody_new_is_let_in(watched):
    all = watched(30)
    hub = all.hub
    with socket.create_connection((hub.host, hub.port)) as kept:
        kept.settimeout(DEADLINE_SECONDS)
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        hub.signal_stop()
        all.sockets[0].wait("draining")
        kept.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b""
        while piece := kept.recv(65536):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 503") and b"the hub is stopping" in answer
        assert b"connection: close" in answer.lower()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((hub.host, hub.port)).close()
    refused = all.sockets[0].refusal("send", room_id=all.room_id, text="Me too")
    assert refused["code"] == "DRAINING" and refused["retry_after_ms"] > 0
    hub.signal_stop()
    assert hub.wait() == 0
    assert all.document[0] == 503


def test_an_answer_that_everyone_left_is_stopped_where_the_room_wants_it(start_hub, open_client, model):
    hub = start_hub(config=model.config())
    rooms = {seconds: hub.create_room(abandon_seconds=seconds) for seconds in (1, 3600)}
    client = open_client(hub)
    stream_ids, calls = {}, {}
    for seconds, room_id in rooms.items():
        client.join(room_id)
        stream_ids[seconds] = client.ask("send", room_id=room_id, text=str(seconds))["stream_id"]
        calls[seconds] = model.next_call()
        calls[seconds].say("Hello")
        client.wait_text(stream_ids[seconds], 5)
    opener = StreamOpener(hub)
    client.close()
    calls[1].wait_closed()
    row = hub.wait_row(rooms[1], "cancelled")
    assert row["agent_response"] == "Hello"
    assert hub.history(rooms[3600])[0]["status"] == "streaming"
    # An event stream watches too.
    session = hub.open_session("ann", rooms[1])
    stream = opener.post("And now?", session_id=session["session_id"])
    assert isinstance(stream, EventStream)
    call = model.next_call()
    call.say("Still ")
    stream.wait_text("Still ")
    time.sleep(1.5)
    call.say("here")
    call.finish()
    assert stream.finish()["status"] == "completed" and stream.text == "Still here"
    opener.close()
    calls[3600].finish()


def test_a_hang_up_is_ignored_until_the_hub_can_read_its_configuration_anew(start_hub):
    hub = start_hub()
    hub.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while "SIGHUP is ignored" not in hub.stderr:
        assert hub.is_running and time.monotonic() < deadline
        time.sleep(0.01)
    assert hub.http.get("/readyz").status_code == 200
    assert hub.stop() == 0


def test_a_hub_whose_terminal_is_gone_drains(tmp_path):
    hub, terminal = pty.fork()
    if hub == 0:
        os.execvp(BINARY, [BINARY, "serve", "--port", "0", "--data", str(tmp_path / "data")])
    said = b""
    while b"listening on " not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (ended := os.waitpid(hub, os.WNOHANG))[0] == 0:
        assert time.monotonic() < deadline, "it did not end"
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    assert not (tmp_path / "data" / "hubbub.db-wal").exists(), "it was closed as it should be"
