"""A client of `hubbub.v1` on PyPI's websockets, which checks in every frame what the protocol lets clients rely on."""

import itertools
import json
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from hub_process import DEADLINE_SECONDS

STREAM_FRAMES = {"chunk", "reasoning", "chunks", "tool-call", "tool-result", "action", "stream-started", "stream-ended"}


class ChatClient:
    """One socket. `frames` has everything that came, `texts` each stream's text, `positions` each room's last `seq`."""

    def __init__(self, hub, user="ann", **options):
        address = f"ws://{hub.host}:{hub.port}/ws" + (f"?user_id={user}" if user else "")
        settings = dict(
            subprotocols=["hubbub.v1"], max_queue=None, max_size=None, ping_interval=None, proxy=None, compression=None,
            open_timeout=DEADLINE_SECONDS, close_timeout=DEADLINE_SECONDS)
        self.socket = connect(address, **settings | options)
        self.frames = []
        self.texts = {}
        self.reasonings = {}
        self.positions = {}
        self.epochs = {}
        self.close_code = None
        self._ids = itertools.count(1)
        self.welcome = self.wait("welcome")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # Asking.

    def post(self, type, **fields):
        """Sends a frame without waiting; returns its id."""
        id = str(next(self._ids))
        self.socket.send(json.dumps({"type": type, "id": id} | fields))
        return id

    def answer(self, id):
        """The `ack`, `joined`, `pong` or `error` to a frame."""
        return self.find(lambda frame: frame.get("id") == id, f"the answer to {id}")

    def ask(self, type, **fields):
        """Sends a frame; returns its answer, which is no error."""
        frame = self.answer(self.post(type, **fields))
        assert frame["type"] != "error", frame
        return frame

    def refusal(self, type, **fields):
        """Sends a frame; returns the error that answers it."""
        frame = self.answer(self.post(type, **fields))
        assert frame["type"] == "error", frame
        return frame

    def join(self, room_id, after=None):
        return self.ask("join", room_id=room_id, **({"after": after} if after else {}))

    def position(self, room_id):
        """What goes into `after`."""
        return {"epoch": self.epochs[room_id], "seq": self.positions[room_id]}

    # Waiting.

    def find(self, is_wanted, what, since=0, within=DEADLINE_SECONDS):
        """The first frame from `since` on that `is_wanted`; waits for it if it has not come."""
        deadline = time.monotonic() + within
        index = since
        while True:
            for index in range(index, len(self.frames)):
                if is_wanted(self.frames[index]):
                    return self.frames[index]
            index = len(self.frames)
            try:
                self.receive(deadline - time.monotonic())
            except TimeoutError:
                raise AssertionError(f"{what} did not come within {within} s, but:\n{self.digest()}") from None
            except ConnectionClosed as closed:
                self.close_code = closed.rcvd.code if closed.rcvd else 1006
                raise AssertionError(f"closed by {closed} before {what}; before that:\n{self.digest()}") from closed

    def wait(self, type, since=0, within=DEADLINE_SECONDS, **fields):
        """The first frame from `since` on of a type with these fields."""
        def is_wanted(frame):
            return frame["type"] == type and all(frame.get(name) == value for name, value in fields.items())
        return self.find(is_wanted, f"{type} {fields}", since, within)

    def wait_text(self, stream_id, length):
        """Waits until a stream's text has at least `length` bytes; returns it."""
        self.find(
            lambda _: len(self.texts.get(stream_id, "").encode()) >= length, f"{length} bytes of {stream_id}",
            since=max(0, len(self.frames) - 1))
        return self.texts[stream_id]

    def wait_close(self):
        """Reads up to the hub's close; returns its code."""
        while True:
            try:
                self.receive(DEADLINE_SECONDS)
            except ConnectionClosed as closed:
                self.close_code = closed.rcvd.code if closed.rcvd else 1006
                return self.close_code

    def catch_up(self):
        """Reads everything that the hub sent before it answered a ping."""
        self.ask("ping")

    def digest(self):
        return "\n".join(json.dumps(frame)[:300] for frame in self.frames[-20:])

    def types(self, since=0):
        return [frame["type"] for frame in self.frames[since:]]

    # Receiving.

    def receive(self, within):
        frame = json.loads(self.socket.recv(timeout=max(0, within)))
        assert isinstance(frame, dict) and isinstance(frame["type"], str)
        if frame["type"] == "joined":
            self._joined(frame)
        elif "seq" in frame:
            self._check_position(frame)
            self._check_text(frame)
        self.frames.append(frame)

    def _joined(self, frame):
        room_id = frame["room_id"]
        self.positions[room_id] = frame["seq"]
        self.epochs[room_id] = frame["epoch"]
        if frame["recovered"]:
            assert "history" not in frame and "streams" not in frame, frame
            return
        for stream in frame["streams"]:
            self.texts[stream["stream_id"]] = stream.get("text", "")
            self.reasonings[stream["stream_id"]] = stream.get("reasoning", "")

    def _check_position(self, frame):
        room_id = frame["room_id"]
        assert room_id in self.positions, f"a log frame of a room that is not joined: {frame}"
        first = frame.get("first_seq", frame["seq"])
        assert first == self.positions[room_id] + 1, f"expected {self.positions[room_id] + 1}: {frame}"
        assert frame["seq"] >= first, frame
        self.positions[room_id] = frame["seq"]

    def _check_text(self, frame):
        match frame["type"]:
            case "stream-started":
                self.texts[frame["stream_id"]] = ""
                self.reasonings[frame["stream_id"]] = ""
            case "chunk":
                self._append(self.texts, frame)
            case "reasoning":
                self._append(self.reasonings, frame)
            case "chunks":
                for part in frame["parts"]:
                    self._append(self.texts if part["kind"] == "text" else self.reasonings, part)
            case "stream-ended":
                text = self.texts.setdefault(frame["stream_id"], "")
                assert frame["length"] == len(text.encode()), frame

    def _append(self, texts, part):
        text = texts[part["stream_id"]]
        assert part["offset"] == len(text.encode()), f"at {len(text.encode())}: {part}"
        assert part["delta"], part
        texts[part["stream_id"]] = text + part["delta"]
