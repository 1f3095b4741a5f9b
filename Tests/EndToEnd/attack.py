"""What the long attacks of `./dev soak` share: waiting for what must come, and reading what was stored."""

import asyncio
import sqlite3
import statistics
import time

from follower import Log


class Soak:
    """`run` returns the rows of a report, and what must not be, each with its count."""

    def __init__(self, directory, report):
        self.directory, self.report = directory, report
        self.log = Log()
        self.hub = None

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
