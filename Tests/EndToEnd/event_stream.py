"""A reader of the hub's event streams over HTTP, which checks in every event what the contract lets clients rely on."""

import contextlib
import json
import re
import time

import httpx

from hub_process import DEADLINE_SECONDS

TERMINAL = {"completed", "cancelled", "error"}


class EventStream:
    """One response. `events` has what came, `last_id` the last event's `id`, `text` the content put together."""

    def __init__(self, response):
        self.response = response
        self.events = []
        self.comments = []
        self.last_id = None
        self.retry = None
        self._lines = response.iter_lines()
        assert response.status_code == 200, response.read()
        headers = response.headers
        assert headers["content-type"].startswith("text/event-stream")
        assert headers["x-accel-buffering"] == "no" and "content-length" not in headers
        assert {"no-cache", "no-transform"} <= {part.strip() for part in headers["cache-control"].split(",")}

    @property
    def first(self):
        """The first event, which names what the client did not know."""
        while not self.events:
            assert self._next(), "the stream ended before an event"
        return self.events[0]

    @property
    def text(self):
        return "".join(event.get("content", "") for event in self.events)

    def _next(self):
        """Reads up to an event's or a comment's end; False at the end of the stream."""
        id, data = None, None
        for line in self._lines:
            assert "\r" not in line
            if line == "":
                if data is None:
                    # What waits has a name and no event yet.
                    assert id is None or "/" in id, id
                    self.last_id = id or self.last_id
                    return True
                assert id, "an event without a place"
                assert not self.events or self.events[-1]["status"] not in TERMINAL, "an event after the last"
                self.last_id = id
                self.events.append(json.loads(data))
                return True
            if line.startswith("retry: "):
                assert not self.events and not self.comments and self.last_id is None, "not at the beginning"
                self.retry = int(line.removeprefix("retry: "))
            elif line.startswith(":"):
                self.comments.append(line)
            elif line.startswith("id: "):
                assert id is None and data is None, line
                id = line.removeprefix("id: ")
                assert re.fullmatch(r".+:\d+(/stream_\w+|/ended)?", id), id
            else:
                assert line.startswith("data: ") and data is None, line
                data = line.removeprefix("data: ")
        return False

    def wait_text(self, text):
        """Reads until the text is there."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(self.text) < len(text):
            assert self._next() and time.monotonic() < deadline, f"ended with {self.text!r}"
        assert self.text == text

    def wait_length(self, length):
        """Reads until there are so many characters."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(self.text) < length:
            assert self._next() and time.monotonic() < deadline, f"ended with {self.text!r}"

    def wait_comment(self):
        while not self.comments:
            assert self._next(), "the stream ended before a comment"

    def finish(self):
        """Reads to the end, which the hub makes; returns the last event."""
        while self._next():
            pass
        assert self.events[-1]["status"] in TERMINAL, self.events
        assert all(event["status"] == "streaming" for event in self.events[:-1]), self.events
        return self.events[-1]


class StreamOpener:
    """Opens event streams of a hub, and closes at the end what is still open."""

    def __init__(self, hub):
        self.hub = hub
        self._stack = contextlib.ExitStack()

    def close(self):
        self._stack.close()

    def raw(self, method, path, **options):
        """The response before its body is read, on a connection of its own."""
        client = httpx.Client(base_url=self.hub.url, timeout=DEADLINE_SECONDS, trust_env=False)
        self._stack.enter_context(client)
        return self._stack.enter_context(client.stream(method, path, **options))

    def post(self, query, path="/api/chat/message", headers=None, **fields):
        return EventStream(self.raw("POST", path, json={"query": query} | fields, headers=headers))

    def get(self, path="/api/chat/message", last_id=None, **query):
        headers = {"Last-Event-ID": last_id} if last_id else {}
        response = self.raw("GET", path, params=query, headers=headers)
        return EventStream(response) if response.status_code == 200 else response
