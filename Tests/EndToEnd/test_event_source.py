"""A real `EventSource` in headless Chromium, whose connection breaks in mid-stream."""

import json
import pathlib
import socket
import struct
import subprocess
import threading
import time

import pytest

from browser import CHROMIUM, Browser
from hub_process import DEADLINE_SECONDS, environment

TEXT = "events.map((event) => event.content ?? '').join('')"


class Network:
    """What lies between the browser and the hub: it can be cut."""

    def __init__(self, hub):
        self._hub = hub
        self._pairs = []
        self.requests = []
        self.answers = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection((self._hub.host, self._hub.port))
            self._pairs.append((near, far))
            for source, sink, note in ((near, far, self._note), (far, near, self._pass)):
                threading.Thread(target=self._pump, args=(source, sink, note), daemon=True).start()

    def _note(self, piece):
        if piece.startswith(b"GET /api/chat/"):
            self.requests.append(piece.decode().lower())

    def _pass(self, piece):
        self.answers += piece

    def _pump(self, source, sink, note):
        try:
            while piece := source.recv(65536):
                note(piece)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def end(self):
        """Ends every connection behind what is on its way."""
        pairs, self._pairs = self._pairs, []
        for _, far in pairs:
            far.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Resets every connection."""
        pairs, self._pairs = self._pairs, []
        for end in (end for pair in pairs for end in pair):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                end.shutdown(socket.SHUT_RD)
            except OSError:
                pass
            end.close()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


@pytest.fixture
def network(hub):
    network = Network(hub)
    yield network
    network.close()


@pytest.fixture
def window(network, tmp_path):
    if not pathlib.Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}")
    browser = Browser(tmp_path / "chromium")
    window = browser.open(network.url + "/healthz", browser.person())
    window.wait("location.pathname === '/healthz' && document.readyState === 'complete'")
    yield window
    browser.close()


def listen(window, path):
    window.evaluate(f"""(() => {{
        window.events = [];
        window.losses = 0;
        window.source = new EventSource("{path}");
        source.onmessage = (event) => events.push(JSON.parse(event.data));
        source.onerror = () => losses++;
    }})()""")


def test_it_resumes_without_a_word_twice_and_stops_after_the_end(hub, model, network, window):
    session = hub.open_session("user_123")
    listen(window, f"/api/chat/message?session_id={session['session_id']}&room_id={session['room_id']}&query=Count")
    call = model.next_call()
    text = ""
    for number, word in enumerate(("one ", "zwei ", "三 ")):
        text += word
        call.say(word)
        window.wait(f"{TEXT} === '{text}'")
        network.cut()
        text += "away "
        call.say("away ")
        window.wait(f"losses === {number + 1}")
        window.wait(f"{TEXT} === '{text}'")
    call.finish()
    window.wait("events.at(-1).status === 'completed'")
    window.wait("source.readyState === EventSource.CLOSED")
    assert window.evaluate(TEXT) == text
    assert window.evaluate("events.filter((event) => event.status === 'completed').length") == 1
    [row] = hub.history(session["room_id"])
    assert row["agent_response"] == text and not model.has_calls, "it was sent once"

    # One request, one more after each loss and one more after the end, which gets 204. Another source that loses its
    # connection waits as long as this one would before it asks again.
    requests = list(network.requests)
    assert len(requests) == 5 and "last-event-id: " not in requests[0]
    assert all("last-event-id: " in request for request in requests[1:])
    other = hub.open_session("user_123")
    listen(window, f"/api/chat/message?session_id={other['session_id']}&query=Wait")
    call = model.next_call()
    window.wait("events.length === 1")
    network.cut()
    call.say("Later")
    window.wait(f"{TEXT} === 'Later'")
    call.finish()
    window.wait("source.readyState === EventSource.CLOSED")
    assert [request for request in network.requests if session["session_id"] in request] == requests


def test_it_learns_what_ended_while_it_was_away(hub, model, network, window):
    session = hub.open_session("user_123")
    listen(window, f"/api/chat/stream?session_id={session['session_id']}&query=Count")
    call = model.next_call()
    call.say("one ")
    window.wait(f"{TEXT} === 'one '")
    network.cut()
    call.say("two")
    call.finish()
    hub.wait_row(session["room_id"], "completed")
    window.wait("events.at(-1).status === 'completed'")
    assert window.evaluate(TEXT) == "one two"
    window.wait("source.readyState === EventSource.CLOSED")
    assert len(hub.history(session["room_id"])) == 1 and not model.has_calls


def test_a_stop_reaches_it(hub, model, network, window):
    session = hub.open_session("user_123")
    listen(window, f"/api/chat/message?session_id={session['session_id']}&query=Count")
    call = model.next_call()
    call.say("one ")
    window.wait(f"{TEXT} === 'one '")
    stopped = window.evaluate(
        f"fetch('/api/session/{session['session_id']}/stop', {{ method: 'POST' }}).then((answer) => answer.json())")
    assert stopped["data"]["partial_response"] == "one "
    call.wait_closed()
    window.wait("events.at(-1).status === 'cancelled'")
    window.wait("source.readyState === EventSource.CLOSED")


def test_what_waited_is_not_sent_again_when_it_was_answered_meanwhile(hub, model, network, window, streams):
    session = hub.open_session("user_123")
    first = streams.post("First", session_id=session["session_id"])
    call = model.next_call()
    listen(window, f"/api/chat/message?session_id={session['session_id']}&query=Second")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while b"/stream_" not in network.answers:
        assert time.monotonic() < deadline, network.answers
        time.sleep(0.01)
    network.end()
    call.finish()
    assert first.finish()["status"] == "completed"
    call = model.next_call()
    assert call.question == "Second"
    call.say("Here.")
    call.finish()
    hub.wait_row(session["room_id"], "completed")
    window.wait("events.at(-1).status === 'completed'")
    assert window.evaluate(TEXT) == "Here."
    window.wait("source.readyState === EventSource.CLOSED")
    assert len(hub.history(session["room_id"])) == 2 and not model.has_calls


# The same with curl.


class Curl:
    """`curl -N` on an event stream; it shows what comes when it comes."""

    def __init__(self, url, last_id=None):
        headers = ["--header", f"Last-Event-ID: {last_id}"] if last_id else []
        self._process = subprocess.Popen(
            ["curl", "-isN", "--noproxy", "*", "--max-time", str(DEADLINE_SECONDS), *headers, url],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment())
        self.head = []
        self.last_id = last_id
        self.text = ""

    def _block(self):
        lines = []
        while line := self._process.stdout.readline().strip():
            lines.append(line)
        return lines

    def event(self):
        """The next event's data; `None` at the end."""
        # Not before: curl shows the head when it has more to show.
        self.head = self.head or self._block()
        while block := self._block():
            if not block[0].startswith((":", "retry: ")):
                id, data = block
                self.last_id = id.removeprefix("id: ")
                event = json.loads(data.removeprefix("data: "))
                self.text += event.get("content", "")
                return event
        return None

    def wait(self):
        code = self._process.wait(DEADLINE_SECONDS)
        self._process.stdout.close()
        return code


def test_curl_shows_the_same(hub, model, network):
    session = hub.open_session("user_123")
    url = f"{network.url}/api/chat/stream?session_id={session['session_id']}&query=Count"
    curl = Curl(url)
    call = model.next_call()
    assert curl.event()["content"] == "" and curl.head[0] == "HTTP/1.1 200 OK"
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in curl.head[1:])}
    assert fields["content-type"].startswith("text/event-stream") and fields["x-accel-buffering"] == "no"
    assert fields["cache-control"] == "no-cache, no-transform" and "content-length" not in fields
    text = ""
    for word in ("one ", "zwei ", "三 "):
        call.say(word)
        while curl.text != word:
            assert curl.event()["status"] == "streaming" and word.startswith(curl.text)
        text += word
        network.cut()
        assert curl.event() is None and curl.wait() != 0
        curl = Curl(url, curl.last_id)
    call.say("end")
    call.finish()
    while (event := curl.event())["status"] == "streaming":
        pass
    assert event["status"] == "completed" and curl.text == "end" and curl.event() is None and curl.wait() == 0
    done = Curl(url, curl.last_id)
    assert done.event() is None and done.wait() == 0 and done.head[0] == "HTTP/1.1 204 No Content"
    [row] = hub.history(session["room_id"])
    assert row["agent_response"] == text + "end" and not model.has_calls and len(network.requests) == 5
