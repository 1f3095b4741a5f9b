"""Answers are cancelled at random moments while a hundred of them run: by stream, by session, by room and by message,
from three devices. A model's server of its own, which only writes, tells when each connection ended.

In the end the model's account of each answer is compared with what is stored and with what everybody saw."""

import asyncio
import collections
import itertools
import json
import random
import statistics
import time

import httpx

from attack import Soak
from follower import TERMINAL, Follower, digest
from hub_process import Hub
from token_server import TOKENS_AFTER_THE_END, TokenServer, question

ANSWER_SECONDS = 30
LIMITS = {"streams_per_user": 50, "drain_seconds": 0, "rooms_per_user": 0}
# What a cancel may take from its frame to the upstream's end, for 99 of 100.
TARGET_MILLISECONDS = 10
ANSWERS = {"cancels answered: accepted", "cancels answered: ended"}
# Not all rooms have an answer at all times.
ROOMS_PER_STREAM = 1.3


class Device(Follower):
    """A follower that sends and cancels. No chunk may follow on it of what it was told is cancelled."""

    def __init__(self, url, user, room_id, log):
        super().__init__(url, user, room_id, log)
        self.session_id = None
        self._ids = itertools.count(1)
        self._waiting = {}
        self._silenced = set()

    @property
    def streams(self):
        return set(self._texts)

    async def ask(self, type, silences=(), **fields):
        """Returns when it was asked, and what the answer will come to, with its time."""
        id = str(next(self._ids))
        answer = asyncio.get_running_loop().create_future()
        self._waiting[id] = (answer, silences)
        asked_at = time.monotonic_ns()
        await self.post(type, id=id, **fields)
        return asked_at, asyncio.wait_for(answer, ANSWER_SECONDS)

    async def receive(self, frame):
        if frame.get("id") in self._waiting:
            answer, silences = self._waiting.pop(frame["id"])
            if frame.get("state") == "accepted":
                self._silenced |= set(silences)
            if not answer.done():
                answer.set_result((frame, time.monotonic_ns()))
        for part in frame.get("parts", [frame] if frame["type"] == "chunk" else []):
            if part["stream_id"] in self._silenced:
                self._violation(f"a chunk of {part['stream_id']} follows the answer to its cancel")
        self.session_id = frame.get("session_id", self.session_id)
        await super().receive(frame)


class Message:
    """What was sent, and what the hub said of it."""

    def __init__(self, key):
        self.key = key
        self.receipt = None
        # The accepted cancels that meant it: (asked at, answered at).
        self.cancels = []
        # One was accepted that meant it alone.
        self.is_cancelled = False

    def is_with(self, other):
        """Whether both are the same, or known to be of one turn."""
        return self is other or bool(
            self.receipt and other.receipt and self.receipt["exchange_id"] == other.receipt["exchange_id"])


class Talk:
    """A room: its owner speaks and cancels, the owner's other device and somebody else cancel too."""

    def __init__(self, soak, number, room_id):
        self.soak, self.room_id, self.user = soak, room_id, f"speaker{number}"
        self.pick = random.Random(f"{soak.seed} {number}")
        users = [self.user, self.user, f"guest{number}"]
        self.devices = [Device(soak.hub.url, user, room_id, soak.log) for user in users]
        self.messages = []

    async def run(self):
        await asyncio.sleep(self.pick.uniform(0, 1))
        while self.soak.cancels_left > 0:
            sends = [asyncio.create_task(await self._send()) for _ in range(self.pick.choice([1, 1, 1, 2]))]
            at_once = self.pick.random() < 0.25
            if not at_once:
                await asyncio.gather(*sends)
                is_soon = self.pick.random() < 0.2
                await asyncio.sleep(self.pick.uniform(0, 0.3) if is_soon else self.pick.uniform(0.3, 4))
            await self._cancel(at_once)
            await asyncio.gather(*sends)
            while not await self._have_ended():
                await self._cancel(False)

    async def _send(self):
        """Returns what waits for the answer."""
        message = Message(f"{self.user}-{len(self.messages)}")
        self.messages.append(message)
        _, answer = await self.devices[0].ask(
            "send", room_id=self.room_id, message_id=message.key, text=question(message.key, self.pick))
        return self._acknowledge(message, answer)

    async def _acknowledge(self, message, answer):
        frame, _ = await answer
        if frame["type"] != "ack":
            return self.soak.log.violation(f"a message was refused: {frame}")
        message.receipt = frame

    @property
    def running(self):
        view = self.devices[0].view
        return [each for each in self.messages if not each.receipt or each.receipt["exchange_id"] not in view]

    async def _have_ended(self):
        """Gives what was cancelled a moment; what is not, has none."""
        for _ in range(20):
            if not self.running:
                return True
            await asyncio.sleep(0.05)
        return False

    async def _cancel(self, at_once):
        """`at_once`: behind the sends on the same socket, before they are answered."""
        running = self.running
        if not running:
            return
        message = self.pick.choice(running)
        device = self.devices[0] if at_once else self.pick.choice(self.devices)
        ways = ["room", "message"] + ["stream"] * (message.receipt is not None) + ["session"] * bool(device.session_id)
        way = self.pick.choice(ways)
        if way == "message" and device.user != self.user:
            device = self.devices[1]
        aimed = running if way in ("room", "session") else [each for each in running if each.is_with(message)]
        fields = {
            "room": {"room_id": self.room_id},
            "message": {"room_id": self.room_id, "message_id": message.key},
            "session": {"session_id": device.session_id},
            "stream": {"stream_id": message.receipt and message.receipt["stream_id"]},
        }[way]
        self.soak.begin_cancel(f"{way}, right behind the message" if at_once else way, device is self.devices[0])
        silences = device.streams if way in ("room", "session") else {fields.get("stream_id")}
        await self._ask(device, aimed, silences, fields)
        if self.pick.random() < 0.15:
            self.soak.counts["cancels said twice"] += 1
            await self._ask(self.devices[1], aimed, silences, fields)

    async def _ask(self, device, aimed, silences, fields):
        asked_at, answer = await device.ask("cancel", silences, **fields)
        frame, came_at = await answer
        state = frame.get("state") or frame.get("code")
        self.soak.counts[f"cancels answered: {state}"] += 1
        if state == "accepted":
            for message in aimed:
                message.cancels.append((asked_at, came_at))
                message.is_cancelled |= not fields.keys().isdisjoint({"stream_id", "message_id"})


class CancelSoak(Soak):
    """`is_timed`: more than the target is a fault, too."""

    def __init__(self, directory, cancels, streams=100, seed=1, report=lambda line: None, is_timed=False):
        super().__init__(directory, report)
        self.is_timed = is_timed
        self.cancels, self.cancels_left, self.streams, self.seed = cancels, cancels, streams, seed
        self.counts = collections.Counter()
        self.running = []
        self.talks = []

    def _start_hub(self):
        self.model = TokenServer()
        agent = {"agent_type": "model", "connector": "openai", "base_url": self.model.url, "model": "test-model"}
        return Hub(
            self.directory / "hub",
            config={"agents": [agent], "default_agent": "model", "limits": LIMITS})

    def _close(self):
        self.model.close()

    async def _soak(self):
        async with httpx.AsyncClient(base_url=self.hub.url, timeout=60, trust_env=False) as http:
            for number in range(round(self.streams * ROOMS_PER_STREAM)):
                response = await http.post("/api/rooms", json={"user_id": f"speaker{number}"})
                self.talks.append(Talk(self, number, response.json()["data"]["room_id"]))
        devices = [device for talk in self.talks for device in talk.devices]
        for device in devices:
            device.start()
        await self.until(lambda: all(device.joined.is_set() for device in devices), 30, "everyone's join")
        await asyncio.gather(*(talk.run() for talk in self.talks))
        await self.until(lambda: all(device.is_quiet for device in devices), 30, "the watchers' ends")
        await asyncio.gather(*(device.stop() for device in devices))

    def begin_cancel(self, way, is_speakers):
        self.cancels_left -= 1
        self.counts[f"cancels by {way}"] += 1
        self.counts["cancels from another device"] += not is_speakers
        self.running.append(sum(len(talk.devices[0].streams) for talk in self.talks))
        done = len(self.running)
        if done % 100 == 0 and done <= self.cancels:
            self.report(f"cancel {done} of {self.cancels}: {self.running[-1]} streams run")

    # Comparing.

    def compare(self):
        """What must not be, each with its count."""
        rows = self.query("SELECT exchange_id, status, text, usage FROM exchanges")
        exchanges = {
            exchange_id: (status, text, json.loads(usage or "null")) for exchange_id, status, text, usage in rows}
        stored_in = dict(self.query("""
            SELECT messages.message_id, exchanges.exchange_id FROM messages
            JOIN exchanges ON exchanges.id = messages.exchange"""))
        messages = {message.key: message for talk in self.talks for message in talk.messages}
        answers = self.model.answers
        closed = [answer for answer in answers if answer.closed_at]
        cancels = {id(answer): self._first_cancel(answer, messages) for answer in closed}
        self.milliseconds = sorted(
            (answer.closed_at - cancels[id(answer)][0]) / 1e6 for answer in closed if cancels[id(answer)])
        seen = [seen for talk in self.talks for device in talk.devices for seen in device.view.items()]
        faults = {
            "tokens sent after the upstream was closed": sum(answer.after_the_end for answer in closed),
            "answers with a token after the cancel was answered": sum(
                bool(cancels[id(answer)]) and answer.last_at > cancels[id(answer)][1] for answer in closed),
            "upstreams closed without a cancel": sum(not cancels[id(answer)] for answer in closed),
            "upstreams that were not closed": sum(answer.went_on for answer in answers),
            "accepted cancels whose answer ended otherwise": sum(
                exchanges[stored_in[key]][0] != "cancelled"
                for key, message in messages.items() if message.is_cancelled),
            "cancels that were refused": sum(
                count for name, count in self.counts.items() if name not in ANSWERS and "answered" in name),
            "messages that are not stored": len(messages.keys() - stored_in.keys()),
            "exchanges that have not ended": sum(exchange[0] not in TERMINAL for exchange in exchanges.values()),
            "stored texts that the model did not say": sum(
                not answer.text.startswith(exchanges[stored_in[answer.keys[-1]]][1]) for answer in answers),
            "watchers' texts that differ from the stored": sum(
                exchanges[exchange_id][:2] != ended for exchange_id, ended in seen),
            "announced ends that differ from the stored": sum(
                ended != (exchanges[exchange_id][0], digest(exchanges[exchange_id][1]))
                for exchange_id, ended in self.log.announced.items()),
            "cancelled texts without their estimated usage": sum(
                usage != expected_usage(text) for status, text, usage in exchanges.values() if status == "cancelled"),
            "frames against the protocol": len(self.log.violations),
        }
        if self.is_timed:
            faults[f"p99 above {TARGET_MILLISECONDS} ms"] = int(self.percentile(0.99) > TARGET_MILLISECONDS)
        return faults

    @staticmethod
    def _first_cancel(answer, messages):
        """The earliest accepted cancel that meant the answer."""
        return min((cancel for key in answer.keys for cancel in messages[key].cancels), default=None)

    def percentile(self, share):
        return self.milliseconds[min(len(self.milliseconds) - 1, int(len(self.milliseconds) * share))]

    def _rows(self):
        answers, counts = self.model.answers, self.counts
        return [
            ("cancels", len(self.running)),
            *sorted(counts.items()),
            ("streams at a cancel, median (fewest)", f"{statistics.median(self.running):.0f} ({min(self.running)})"),
            ("answers that the model was asked for", len(answers)),
            ("upstreams closed by a cancel", len(self.milliseconds)),
            ("tokens sent in all", sum(answer.sent for answer in answers)),
            ("tokens tried after each close", TOKENS_AFTER_THE_END),
            ("frames read and checked", self.log.counts["frames"]),
            ("from cancel to closed upstream, median", f"{self.percentile(0.5):.2f} ms"),
            ("the same, p99", f"{self.percentile(0.99):.2f} ms"),
            ("the same, longest", f"{self.milliseconds[-1]:.2f} ms"),
        ]


def expected_usage(text):
    """A token per four bytes, of what the model did not report."""
    return {"completion_tokens": (len(text.encode()) + 3) // 4, "estimated": True} if text else None
