"""Clients of `hubbub.v1` by the hundred: each follows a room through every restart of the hub and checks every frame.

What a follower finds against the protocol's rules stands in its log's `violations`; what it saw end, in `announced`."""

import asyncio
import collections
import hashlib
import json
import random
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

TERMINAL = {"completed", "cancelled", "failed", "interrupted"}
RETRY_SECONDS = (0.05, 0.3)


def digest(text):
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


class Log:
    """What all followers of a soak have seen."""

    def __init__(self):
        self.counts = collections.Counter()
        self.violations = []
        # How each exchange was said to have ended: status and text, as digests.
        self.announced = {}

    def violation(self, sentence):
        self.violations.append(sentence)

    def ended(self, exchange_id, status, text):
        seen = (status, digest(text))
        if self.announced.setdefault(exchange_id, seen) != seen:
            self.violation(f"{exchange_id} was announced as {self.announced[exchange_id]} and as {seen}")


class Follower:
    """One user's socket in one room. `view` is what its page would show: how each exchange it knows of ended."""

    def __init__(self, url, user, room_id, log):
        self.url = url.replace("http://", "ws://") + f"/ws?user_id={user}"
        self.user, self.room_id, self.log = user, room_id, log
        self.view = {}
        self.socket = None
        self.joined = asyncio.Event()
        self.changed = asyncio.Event()
        self._epoch, self._seq = None, 0
        self._texts, self._exchanges = {}, {}
        self._task = None

    def start(self):
        self._task = asyncio.create_task(self._run())

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def is_quiet(self):
        """Whether all it knows of has ended."""
        return self.joined.is_set() and not self._texts

    async def _run(self):
        while True:
            try:
                async with connect(
                        self.url, subprotocols=["hubbub.v1"], compression=None, max_size=None, max_queue=None,
                        ping_interval=None, open_timeout=30, close_timeout=1, proxy=None) as self.socket:
                    after = {"after": {"epoch": self._epoch, "seq": self._seq}} if self._epoch else {}
                    await self.post("join", room_id=self.room_id, **after)
                    async for text in self.socket:
                        await self.receive(json.loads(text))
            except (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, EOFError, TimeoutError):
                self.log.counts["connections lost"] += self.joined.is_set()
            self.joined.clear()
            await asyncio.sleep(random.uniform(*RETRY_SECONDS))

    async def post(self, type, **fields):
        await self.socket.send(json.dumps({"type": type} | fields))

    async def receive(self, frame):
        self.log.counts["frames"] += 1
        match frame["type"]:
            case "joined":
                self._join(frame)
            case "error":
                self.log.counts[f"error {frame['code']}"] += 1
        if "seq" in frame and frame["type"] != "joined":
            first = frame.get("first_seq", frame["seq"])
            if first != self._seq + 1 or frame["seq"] < first:
                self._violation(f"position {first} to {frame['seq']} follows {self._seq}")
            self._seq = frame["seq"]
            self._read(frame)
        self.changed.set()

    def _join(self, frame):
        if frame["recovered"]:
            if (frame["epoch"], frame["seq"]) != (self._epoch, self._seq):
                self._violation("recovered elsewhere")
            self.log.counts["joins recovered"] += 1
        else:
            self.log.counts["joins with a snapshot"] += 1
            self._epoch, self._seq = frame["epoch"], frame["seq"]
            self.view, self._texts, self._exchanges = {}, {}, {}
            for exchange in frame["history"]:
                if exchange["status"] not in TERMINAL:
                    self._violation(f"{exchange['exchange_id']} is {exchange['status']} in the history")
                self.view[exchange["exchange_id"]] = (exchange["status"], exchange["text"])
            for stream in frame["streams"]:
                self._texts[stream["stream_id"]] = stream.get("text", "")
                self._exchanges[stream["stream_id"]] = stream["exchange_id"]
        self.joined.set()

    def _read(self, frame):
        stream_id = frame.get("stream_id")
        match frame["type"]:
            case "stream-started":
                self._texts.setdefault(stream_id, "")
                if self._texts[stream_id]:
                    self._violation(f"{stream_id} starts with a text")
                self._exchanges[stream_id] = frame["exchange_id"]
            case "chunk":
                self._append(frame)
            case "chunks":
                for part in frame["parts"]:
                    self._append(part)
            case "stream-ended":
                text = self._texts.pop(stream_id, "")
                if len(text.encode()) != frame["length"]:
                    self._violation(f"{stream_id} ends at {frame['length']}, not {len(text.encode())}")
                self.view[frame["exchange_id"]] = (frame["status"], text)
                self.log.ended(frame["exchange_id"], frame["status"], text)

    def _append(self, part):
        text = self._texts.get(part["stream_id"])
        if text is None or len(text.encode()) != part["offset"]:
            return self._violation(f"a chunk at {part['offset']} of {part['stream_id']}, which does not go there")
        self._texts[part["stream_id"]] = text + part["delta"]

    def _violation(self, sentence):
        self.log.violation(f"{self.user} in {self.room_id}: {sentence}")


class Speaker(Follower):
    """A follower that also writes: a few messages, and when their answers have ended, the next few. What was not
    acknowledged is sent again under its key, after each restart."""

    # Longer than any script, with a restart in its midst.
    PATIENCE_SECONDS = 60

    def __init__(self, url, user, room_id, log, seed):
        super().__init__(url, user, room_id, log)
        self.unacknowledged, self.acknowledged, self.sent = {}, {}, {}
        self.is_silent = False
        self._pick = random.Random(seed)
        self._speech = None

    def start(self):
        super().start()
        self._speech = asyncio.create_task(self._speak())

    async def stop(self):
        self._speech.cancel()
        await asyncio.gather(self._speech, return_exceptions=True)
        await super().stop()

    @property
    def is_done(self):
        """Whether it has fallen silent and every answer to it has ended."""
        return self._speech.done()

    async def _speak(self):
        while not self.is_silent:
            for _ in range(self._pick.choice([1, 1, 1, 2, 3])):
                self._write()
            await self._send_all()
            since = time.monotonic()
            waiting = dict(self.unacknowledged)
            while self.unacknowledged or not self._have_ended(waiting):
                self.changed.clear()
                try:
                    await asyncio.wait_for(self.changed.wait(), 1)
                except TimeoutError:
                    pass
                if time.monotonic() > since + self.PATIENCE_SECONDS:
                    self._violation(f"nothing came of {sorted(waiting)} in {self.PATIENCE_SECONDS} s")
                    since = time.monotonic()

    def _have_ended(self, keys):
        # What the snapshot no longer has, ended long ago.
        return all(
            self.acknowledged[key] in self.view or self.acknowledged[key] in self.log.announced for key in keys)

    def _write(self):
        number = len(self.sent)
        script = {
            "seed": self._pick.randrange(1 << 40), "tokens": self._pick.randrange(1, 60), "token_bytes": 24,
            "rate": 8, "stamps": False,
        }
        key = f"{self.user}-{number}"
        self.sent[key] = f"{key}\n{json.dumps(script)}"
        self.unacknowledged[key] = self.sent[key]

    async def _send_all(self):
        for key, text in list(self.unacknowledged.items()):
            try:
                await self.joined.wait()
                await self.post("send", id=key, room_id=self.room_id, text=text, message_id=key, agent_type="synthetic")
                self.log.counts["messages sent"] += 1
            except (ConnectionClosed, AttributeError):
                return

    async def receive(self, frame):
        if frame["type"] == "ack" and frame["for"] == "send":
            key = frame["id"]
            self.log.counts["messages acknowledged"] += key not in self.acknowledged
            self.log.counts["of them known by their key"] += frame.get("duplicate", False)
            if self.acknowledged.setdefault(key, frame["exchange_id"]) != frame["exchange_id"]:
                self._violation(f"{key} was acknowledged twice, as different exchanges")
            self.unacknowledged.pop(key, None)
        await super().receive(frame)
        if frame["type"] == "joined" and self.unacknowledged:
            await self._send_all()
        if frame["type"] == "error" and frame.get("for") == "send":
            await asyncio.sleep(frame.get("retry_after_ms", 1000) / 1000)
            await self._send_all()
