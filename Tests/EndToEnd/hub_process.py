"""The hub as its operator sees it: the real binary, started, stopped and killed by its process id."""

import json
import os
import pathlib
import queue
import re
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.parse

import httpx

# Generous: a debug build on a busy machine has to pass too. Nothing waits this long unless it fails.
DEADLINE_SECONDS = 30
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HUBBUB_BINARY") or str(REPOSITORY / ".build/debug/hubbub")
# For what only optimised code shows.
RELEASE_BINARY = os.environ.get("HUBBUB_RELEASE_BINARY") or str(REPOSITORY / ".build/release/hubbub")


def environment(**extra):
    """This process's environment without what would configure a hub."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")} | extra


def run_command(*arguments, env=None, cwd=None):
    """Runs the binary to its end."""
    return subprocess.run(
        [BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE_SECONDS,
        env=environment(**(env or {})), cwd=cwd, stdin=subprocess.DEVNULL)


class LineReader:
    """Reads a pipe's lines on a thread, so that waiting for one can have a deadline."""

    def __init__(self, pipe):
        self.lines = []
        self._pipe = pipe
        self._queue = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._pipe:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def wait(self, is_wanted, within=DEADLINE_SECONDS):
        """The next line that `is_wanted`, or None when the pipe ended without it."""
        deadline = time.monotonic() + within
        while True:
            try:
                line = self._queue.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError("no such line in time; there were: " + "\n".join(self.lines)) from None
            if line is None:
                return None
            self.lines.append(line)
            if is_wanted(line):
                return line

    def close(self):
        """After the process's end: reads what is left and gives the pipe back."""
        self._thread.join(DEADLINE_SECONDS)
        self._pipe.close()


class Hub:
    """One process of `hubbub serve` on a free port."""

    # A test that damages the database for good says so here.
    is_damaged = False

    def __init__(
            self, directory, *arguments, config=None, data=None, loops=2, env=None, names_data=True, port=0,
            binary=BINARY):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.data = pathlib.Path(data or directory / "data")
        self.stderr_path = directory / "stderr"
        command = [binary, "serve", "--port", str(port)]
        if names_data:
            command += ["--data", str(self.data)]
        if loops is not None:
            command += ["--loops", str(loops)]
        if config is not None:
            path = directory / "config.json"
            path.write_text(json.dumps(config))
            command += ["--config", str(path)]
        with open(self.stderr_path, "w") as stderr:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                text=True, env=environment(**(env or {})))
        self._stdout = LineReader(self.process.stdout)
        try:
            line = self._stdout.wait(lambda line: line.startswith("listening on "))
            assert line, f"the hub ended before it listened:\n{self.stderr}"
            self.url = line.removeprefix("listening on ")
            parts = urllib.parse.urlsplit(self.url)
            self.host, self.port = parts.hostname, parts.port
        except BaseException:
            self.kill()
            raise
        self.http = httpx.Client(base_url=self.url, timeout=DEADLINE_SECONDS, trust_env=False)

    @property
    def stderr(self):
        return self.stderr_path.read_text()

    @property
    def is_running(self):
        return self.process.poll() is None

    def signal_stop(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """Waits for the process's end; returns its exit code."""
        code = self.process.wait(DEADLINE_SECONDS)
        self._stdout.close()
        if hasattr(self, "http"):
            self.http.close()
        return code

    def stop(self):
        self.signal_stop()
        return self.wait()

    def kill(self):
        """Like a power cut, but for the kernel's caches."""
        self.process.kill()
        return self.wait()

    # The rooms over HTTP, for tests that are about something else.

    def create_room(self, user="ann", name="Room", **metadata):
        body = {"user_id": user, "room_name": name, "metadata": metadata}
        response = self.http.post("/api/rooms", json=body)
        assert response.status_code == 201, response.text
        return response.json()["data"]["room_id"]

    def history(self, room_id, **query):
        """The rows of a room's history, newest first."""
        response = self.http.get(f"/api/rooms/{room_id}/history", params=query)
        assert response.status_code == 200, response.text
        return response.json()["data"]["history"]

    def row(self, room_id, exchange_id):
        return next(row for row in self.history(room_id, limit=200) if row["exchange_id"] == exchange_id)

    def wait_row(self, room_id, status):
        """Waits until a room's newest exchange has a status; returns its row."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (row := self.history(room_id, limit=1)[0])["status"] != status:
            assert time.monotonic() < deadline, row
            time.sleep(0.01)
        return row

    # The first family's envelope.

    def ask(self, method, path, status=200, message=None, **options):
        """Asks over HTTP; returns the `data` of a success."""
        response = self.http.request(method, path, **options)
        assert response.status_code == status, response.text
        body = response.json()
        assert set(body) == {"success", "message", "data", "timestamp"} and body["success"] is True, body
        assert is_timestamp(body["timestamp"]) and body["message"] == (message or body["message"])
        return body["data"]

    def refusal(self, method, path, status, code, **options):
        """Asks over HTTP; returns the sentence of the refusal."""
        response = self.http.request(method, path, **options)
        assert response.status_code == status, response.text
        body = response.json()
        assert set(body) == {"success", "error", "error_code", "timestamp", "path"}, body
        assert body["success"] is False and body["error_code"] == code and is_timestamp(body["timestamp"]), body
        assert body["path"] == path.partition("?")[0]
        return body["error"]

    def open_session(self, user="ann", room_id=None):
        body = {"user_id": user} | ({"room_id": room_id} if room_id else {})
        return self.ask("POST", "/api/session/create", 201, json=body)

    def database(self):
        """The hub's database, while the hub is not running."""
        assert not self.is_running
        return sqlite3.connect(self.data / "hubbub.db")


def is_timestamp(text):
    """RFC 3339 in UTC with milliseconds."""
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text) is not None
