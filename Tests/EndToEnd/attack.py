"""What the long attacks of `./dev soak` share: waiting for what must come, and reading what was stored."""

import asyncio
import sqlite3
import statistics
import time

from follower import Log
from hub_process import run_command


class Soak:
    """An attack says how its hub starts, how it is attacked, and what is compared in the end."""

    def __init__(self, directory, report):
        self.directory, self.report = directory, report
        self.log = Log()
        self.hub = None

    def run(self):
        """Returns the rows of the report, and what must not be, each with its count."""
        self.hub = self._start_hub()
        try:
            asyncio.run(self._soak())
            code = self.hub.stop()
            found = run_command("check", "--data", self.hub.data)
        finally:
            if self.hub.is_running:
                self.hub.kill()
            self._close()
        faults = self.compare()
        faults["stops with an exit code other than 0"] = int(code != 0)
        faults["faults that `hubbub check` finds"] = found.stderr.count("fault:")
        return self._rows(), faults

    def _close(self):
        """Ends what the attack started beside the hub."""

    async def until(self, is_true, seconds, what):
        deadline = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > deadline:
                self.log.violation(f"{what} did not come within {seconds} s")
                return False
            await asyncio.sleep(0.02)
        return True

    def query(self, sql, *values):
        connection = sqlite3.connect(f"file:{self.hub.data}/hubbub.db?mode=ro", uri=True)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()


def spread(seconds):
    return f"{statistics.median(seconds):.2f} s ({max(seconds):.2f} s)" if seconds else "none"
