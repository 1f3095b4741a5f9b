"""A model's server for hundreds of answers at a time, in a process of its own: OpenAI's stream format, one epoll loop.

It only writes: it sends each token when it is due and never asks first whether somebody is still there. When it learns
that a connection has ended, by reading or by a refused write, it notes the time and tries to send three tokens more.

`Answer` is what it tells of each answer at its end, a line of JSON on its standard output. `TokenServer` starts it and
reads those lines."""

import dataclasses
import heapq
import json
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time

DEADLINE_SECONDS = 30
TOKENS_AFTER_THE_END = 3


@dataclasses.dataclass
class Answer:
    # The lines of the question, without their scripts.
    keys: list
    # Tokens that the kernel took, the last of them at `last_at`.
    sent: int = 0
    last_at: int = 0
    # By the machine's monotonic clock in nanoseconds, as all times here; 0: it was finished, or went on to the last.
    closed_at: int = 0
    went_on: bool = False
    # Tokens that the kernel took although the connection had ended.
    after_the_end: int = 0

    @property
    def text(self):
        return "".join(token(self.keys[-1], number) for number in range(self.sent))


def token(key, number):
    return f"{key} says {number}, "


def question(key, pick):
    """A message that gets an answer: most of them last longer than anybody waits."""
    tokens = pick.randrange(1, 20) if pick.random() < 0.1 else 1000
    script = {"tokens": tokens, "wait": pick.choice([0, 0, pick.uniform(0, 0.3)]), "rate": pick.uniform(5, 15)}
    return f"{key} {json.dumps(script)}"


class TokenServer:
    def __init__(self):
        self.answers = []
        self._process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.answers.append(Answer(**json.loads(line)))

    def close(self):
        """Ends it; `answers` is complete then."""
        self._process.terminate()
        self._process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        self._process.stdout.close()


class Connection:
    def __init__(self, connection):
        self.socket = connection
        self.buffer = b""
        self.answer = self.script = None

    def send(self, data):
        """Whether the kernel took it."""
        try:
            return self.socket.send(data, socket.MSG_DONTWAIT) == len(data)
        except OSError:
            return False

    def say(self):
        content = token(self.answer.keys[-1], self.answer.sent)
        now = time.monotonic_ns()
        if not self.send(delta({"content": content}, None)):
            return False
        self.answer.sent += 1
        self.answer.last_at = now
        return True

    def finish(self):
        return self.send(delta({}, "stop") + event(b"[DONE]") + b"0\r\n\r\n")


def delta(delta, finish_reason):
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return event(json.dumps({"id": "c1", "model": "test-model", "choices": [choice]}).encode())


def event(data):
    data = b"data: %b\n\n" % data
    return b"%x\r\n%b\r\n" % (len(data), data)


class Loop:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self.listener, select.EPOLLIN)
        self.connections = {}
        # When who says what: (nanoseconds, descriptor, answer).
        self.due = []

    def run(self):
        print(self.listener.getsockname()[1], flush=True)
        while True:
            wait = (self.due[0][0] - time.monotonic_ns()) / 1e9 if self.due else 1
            for descriptor, _ in self.epoll.poll(max(0, wait)):
                if descriptor == self.listener.fileno():
                    self.accept()
                else:
                    self.read(self.connections[descriptor])
            # One at a time: who closes meanwhile is heard before the next token.
            if self.due and self.due[0][0] <= time.monotonic_ns():
                at, descriptor, _, answer = heapq.heappop(self.due)
                connection = self.connections.get(descriptor)
                if connection and connection.answer is answer:
                    self.speak(connection, at)

    def accept(self):
        connection, _ = self.listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections[connection.fileno()] = Connection(connection)
        self.epoll.register(connection, select.EPOLLIN)

    def read(self, connection):
        try:
            data = connection.socket.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            return self.ended(connection)
        connection.buffer += data
        head, _, body = connection.buffer.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if lengths and len(body) >= int(lengths[0].partition(b":")[2]):
            connection.buffer = b""
            self.begin(connection, json.loads(body)["messages"][-1]["content"])

    def begin(self, connection, text):
        lines = [line.partition(" ") for line in text.split("\n")]
        connection.answer = Answer([key for key, _, _ in lines])
        connection.script = json.loads(lines[-1][2])
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.plan(connection, time.monotonic_ns() + int(connection.script["wait"] * 1e9))

    def plan(self, connection, at):
        heapq.heappush(self.due, (at, connection.socket.fileno(), random.random(), connection.answer))

    def speak(self, connection, at):
        if connection.answer.sent == connection.script["tokens"]:
            if not connection.finish():
                return self.ended(connection)
            self.tell(connection)
        elif connection.say():
            self.plan(connection, at + int(1e9 / connection.script["rate"]))
        else:
            self.ended(connection)

    def ended(self, connection):
        if connection.answer:
            connection.answer.closed_at = time.monotonic_ns()
            for _ in range(TOKENS_AFTER_THE_END):
                connection.answer.after_the_end += connection.say()
            self.tell(connection)
        del self.connections[connection.socket.fileno()]
        connection.socket.close()

    def tell(self, connection):
        print(json.dumps(dataclasses.asdict(connection.answer)), flush=True)
        connection.answer = None


def main():
    loop = Loop()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        loop.run()
    finally:
        for connection in loop.connections.values():
            if connection.answer:
                connection.answer.went_on = True
                loop.tell(connection)


if __name__ == "__main__":
    main()
