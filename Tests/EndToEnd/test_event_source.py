"""A real `EventSource` in headless Chromium, whose connection breaks in mid-stream."""

import pathlib
import socket
import struct
import threading

import pytest

from browser import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(not pathlib.Path(CHROMIUM).exists(), reason=f"there is no {CHROMIUM}")

TEXT = "events.map((event) => event.content ?? '').join('')"


class Network:
    """What lies between the browser and the hub: it can be cut."""

    def __init__(self, hub):
        self._hub = hub
        self._pairs = []
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
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

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
