"""The hub is killed with SIGKILL at random moments under load, again and again, and restarted on the same data.

Rooms with one speaker each, whose agent is `synthetic`, so that every byte of an answer is known; and watchers, who
reconnect and resume. In the end all that was acknowledged, announced or shown is compared with what is stored."""

import asyncio
import json
import random
import re
import socket
import statistics
import time

import httpx

from attack import Soak, spread
from follower import TERMINAL, Follower, Speaker, digest
from hub_process import Hub
from synthetic_text import token

# What an exchange that was running at the kill has to be terminal within.
SETTLED_SECONDS = 5
BACK_SECONDS = 30
LIMITS = {"streams_per_user": 50, "drain_seconds": 5, "rooms_per_user": 0, "streams_per_node": 100_000}


def free_port():
    """A port below those that the system gives to clients: one that waits for its hub must not connect to itself."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class KillSoak(Soak):
    def __init__(self, directory, kills, streams, watchers, seed=1, report=lambda line: None):
        super().__init__(directory, report)
        self.kills, self.streams, self.watchers = kills, streams, watchers
        self.pick = random.Random(seed)
        self.port = free_port()
        self.speakers, self.followers = [], []
        self.restart_seconds, self.settled_seconds, self.back_seconds, self.running_at_kill = [], [], [], []
        self.not_terminal = 0

    def _start_hub(self, number=0):
        return Hub(
            self.directory / f"hub{number}", "--synthetic", data=self.directory / "data", port=self.port,
            config={"default_agent": "synthetic", "limits": LIMITS})

    async def _soak(self):
        rooms = []
        async with httpx.AsyncClient(base_url=self.hub.url, timeout=60, trust_env=False) as http:
            for number in range(self.streams):
                response = await http.post("/api/rooms", json={"user_id": f"speaker{number}"})
                rooms.append(response.json()["data"]["room_id"])
        self.speakers = [
            Speaker(self.hub.url, f"speaker{number}", room_id, self.log, number)
            for number, room_id in enumerate(rooms)]
        self.followers = [
            Follower(self.hub.url, f"watcher{number}", rooms[number % len(rooms)], self.log)
            for number in range(self.watchers)]
        everyone = self.speakers + self.followers
        for follower in everyone:
            follower.start()
        await self._all_back()
        for number in range(1, self.kills + 1):
            await self._kill(number)
        await self._all_back()
        await asyncio.sleep(3)
        for speaker in self.speakers:
            speaker.is_silent = True
        await self.until(lambda: all(speaker.is_done for speaker in self.speakers), 60, "the answers' ends")
        await self.until(lambda: all(follower.is_quiet for follower in everyone), 30, "the watchers' ends")
        await asyncio.gather(*(follower.stop() for follower in everyone))

    async def _kill(self, number):
        # In the midst of the return of everyone, or of all that runs then.
        if self.pick.random() < 0.7:
            await self._all_back()
            await asyncio.sleep(self.pick.uniform(0.5, 2.5))
        else:
            await asyncio.sleep(self.pick.uniform(0, 0.7))
        killed_at = time.time_ns() // 1_000_000
        began = time.monotonic()
        await asyncio.to_thread(self.hub.kill)
        self.hub = await asyncio.to_thread(self._start_hub, number)
        ready = time.monotonic()
        self.restart_seconds.append(ready - began)
        settled = re.search(r'settled unfinished streams count="(\d+)"', self.hub.stderr)
        self.running_at_kill.append(int(settled[1]) if settled else 0)
        await asyncio.to_thread(self._wait_settled, killed_at, ready)
        self.report(f"kill {number} of {self.kills}: {self.running_at_kill[-1]} streams ran, "
                    f"back after {self.restart_seconds[-1]:.2f} s")

    def _wait_settled(self, killed_at, ready):
        """Whatever began before the kill has to have ended."""
        left = None
        while left != 0 and time.monotonic() < ready + SETTLED_SECONDS:
            [left] = self.query("SELECT count(*) FROM exchanges WHERE ended_at IS NULL AND started_at < ?", killed_at)
            if left[0] == 0:
                self.settled_seconds.append(time.monotonic() - ready)
                return
            time.sleep(0.05)
        self.not_terminal += left[0]

    async def _all_back(self):
        began = time.monotonic()
        everyone = self.speakers + self.followers
        if await self.until(
                lambda: all(follower.joined.is_set() for follower in everyone), BACK_SECONDS, "everyone's return"):
            self.back_seconds.append(time.monotonic() - began)

    # Comparing.

    def compare(self):
        """What must not be, each with its count."""
        exchanges = {
            row[0]: (row[1], row[2])
            for row in self.query("SELECT exchange_id, status, text FROM exchanges")}
        messages = {}
        for key, text, exchange_id in self.query("""
                SELECT messages.message_id, messages.text, exchanges.exchange_id FROM messages
                JOIN exchanges ON exchanges.id = messages.exchange ORDER BY messages.id"""):
            messages.setdefault(text, []).append((key, exchange_id))
        self._sent = {key: text for speaker in self.speakers for key, text in speaker.sent.items()}
        sent = set(self._sent.values())
        lost = [
            key for speaker in self.speakers for key, exchange_id in speaker.acknowledged.items()
            if (key, exchange_id) not in messages.get(speaker.sent[key], [])]
        self.stored_messages, self.exchanges = sum(map(len, messages.values())), exchanges
        announced = self.log.announced.items()
        return {
            "acknowledged messages lost": len(lost),
            "messages stored twice": sum(len(rows) - 1 for rows in messages.values()),
            "messages stored that nobody sent": sum(text not in sent for text in messages),
            f"streams not terminal within {SETTLED_SECONDS} s of a restart": self.not_terminal,
            "exchanges that have not ended": sum(status not in TERMINAL for status, _ in exchanges.values()),
            "watchers whose text differs from the stored": sum(
                any(exchanges.get(exchange_id) != seen for exchange_id, seen in follower.view.items())
                for follower in self.followers + self.speakers),
            "announced ends that differ from the stored": sum(
                exchange_id not in exchanges
                or seen != (exchanges[exchange_id][0], digest(exchanges[exchange_id][1]))
                for exchange_id, seen in announced),
            "stored answers that the agent did not give": self._foreign_answers(messages),
            "frames against the protocol": len(self.log.violations),
        }

    def _foreign_answers(self, messages):
        """Each stored text is the script's from its first byte on, and all of it where it was completed."""
        last = {}
        for text, rows in messages.items():
            for key, exchange_id in rows:
                if key is None or key not in self._sent:
                    continue
                number = int(key.rpartition("-")[2])
                if exchange_id not in last or number > last[exchange_id][0]:
                    last[exchange_id] = (number, json.loads(self._sent[key].rpartition("\n")[2]))
        foreign = 0
        for exchange_id, (_, script) in last.items():
            status, text = self.exchanges[exchange_id]
            data, size = text.encode(), script["token_bytes"]
            count = -(-len(data) // size)
            whole = b"".join(token(script["seed"], number, size) for number in range(count))
            is_whole = len(data) == script["tokens"] * size
            foreign += not whole.startswith(data) or (status == "completed" and not is_whole)
        return foreign

    def _rows(self):
        counts = self.log.counts
        statuses = [status for status, _ in self.exchanges.values()]
        running = self.running_at_kill or [0]
        return [
            ("kills", self.kills),
            ("streams running or waiting at a kill, median (most)",
             f"{statistics.median(running):.0f} ({max(running)})"),
            ("from kill to listening, median (longest)", spread(self.restart_seconds)),
            ("from listening to all terminal, median (longest)", spread(self.settled_seconds)),
            ("until everyone is back, median (longest)", spread(self.back_seconds)),
            ("rooms, speakers and watchers", f"{self.streams}, {self.streams} and {self.watchers}"),
            ("connections lost", counts["connections lost"]),
            ("joins with a snapshot", counts["joins with a snapshot"]),
            ("frames read and checked", counts["frames"]),
            ("messages sent, repeats too", counts["messages sent"]),
            ("messages acknowledged", counts["messages acknowledged"]),
            ("of them known by their key", counts["of them known by their key"]),
            ("messages stored", self.stored_messages),
            ("exchanges completed", statuses.count("completed")),
            ("exchanges interrupted", statuses.count("interrupted")),
            ("ends announced to a client", len(self.log.announced)),
        ] + sorted((name, count) for name, count in counts.items() if name.startswith("error "))
