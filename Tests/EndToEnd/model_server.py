"""A model's server that says exactly what a test tells it to, when it is told: raw sockets, OpenAI's stream format."""

import json
import queue
import socket
import struct
import threading
import time

from hub_process import DEADLINE_SECONDS


class ModelServer:
    """Listens on a free port; each request becomes a `Call` that the test answers piece by piece."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._calls = queue.Queue()
        self._sockets = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def agent(self, agent_type="model", **settings):
        """An entry of the configuration's `agents`."""
        return {"agent_type": agent_type, "connector": "openai", "base_url": self.url, "model": "test-model"} | settings

    def config(self, limits=None, **settings):
        """A configuration whose default agent is this server; it does not wait for streams when it stops."""
        return {
            "agents": [self.agent(**settings)], "default_agent": "model",
            "limits": {"drain_seconds": 0} | (limits or {}),
        }

    def next_call(self, within=DEADLINE_SECONDS):
        try:
            return self._calls.get(timeout=within)
        except queue.Empty:
            raise AssertionError(f"the hub did not call the model within {within} s") from None

    @property
    def has_calls(self):
        return not self._calls.empty()

    def close(self):
        """Ends everything; from then on the port refuses connections."""
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_SECONDS)
        for connection in self._sockets:
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        """Reads requests until the hub closes, and notes when that was for the call that it belongs to."""
        call = None
        buffer = b""
        try:
            while True:
                while b"\r\n\r\n" not in buffer:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    buffer += piece
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                lines = head.decode().split("\r\n")
                fields = (line.partition(":") for line in lines[1:])
                headers = {name.lower(): value.strip() for name, _, value in fields}
                length = int(headers.get("content-length", 0))
                while len(buffer) < length:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    buffer += piece
                call = Call(connection, lines[0], headers, json.loads(buffer[:length]))
                buffer = buffer[length:]
                self._calls.put(call)
        except OSError:
            pass
        finally:
            if call:
                call.note_closed(time.monotonic())


class Call:
    """One request of the hub and the answer to it."""

    def __init__(self, connection, request_line, headers, body):
        self.request_line = request_line
        self.headers = headers
        self.body = body
        self._connection = connection
        self._has_begun = False
        self._closed = threading.Event()
        self._closed_at = None

    @property
    def question(self):
        return self.body["messages"][-1]["content"]

    def begin(self):
        """Sends the head of an event stream."""
        self._has_begun = True
        self._connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")

    def raw(self, data):
        if not self._has_begun:
            self.begin()
        self._connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def event(self, value):
        self.raw(b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n")

    def delta(self, finish_reason=None, **delta):
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        self.event({"id": "c1", "object": "chat.completion.chunk", "model": "test-model-7", "choices": [choice]})

    def say(self, text):
        self.delta(content=text)

    def finish(self, reason="stop", usage=None):
        """Ends the answer as a good server does; the connection lives on."""
        self.delta(finish_reason=reason)
        if usage:
            self.event({"id": "c1", "model": "test-model-7", "choices": [], "usage": usage})
        self.event(b"[DONE]")
        self._connection.sendall(b"0\r\n\r\n")

    def respond(self, status, body, **headers):
        """Answers without a stream."""
        data = json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    def cut(self):
        """Resets the connection."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.shutdown(socket.SHUT_RD)
        self._connection.close()

    def note_closed(self, at):
        self._closed_at = at
        self._closed.set()

    def wait_closed(self, within=DEADLINE_SECONDS):
        """When the hub closed this call's connection, by the monotonic clock."""
        assert self._closed.wait(within), f"the hub did not close the model's connection within {within} s"
        return self._closed_at
