"""The long attacks of `./dev soak`, for a few seconds each."""

import contextlib
import sqlite3
import time

import pytest

from cancel_soak import CancelSoak
from kill_soak import KillSoak

pytestmark = pytest.mark.check


def test_kills_under_load_lose_and_double_nothing(tmp_path):
    soak = KillSoak(tmp_path, kills=3, streams=15, watchers=30, seed=4)
    rows, faults = soak.run()
    counted = dict(rows)
    assert not any(faults.values()), (faults, soak.log.violations[:5])
    # It would find nothing where nothing happened.
    assert counted["exchanges interrupted"] > 0 and counted["exchanges completed"] > 0
    assert counted["ends announced to a client"] > 0 and counted["joins with a snapshot"] >= 3 * 45
    expect_that_it_finds_what_is_stored_wrongly(soak)


def expect_that_it_finds_what_is_stored_wrongly(soak):
    """Spoils the database in each way that the soak looks for: it must be found."""
    path = soak.hub.data / "hubbub.db"
    whole = path.read_bytes()
    last = "id = (SELECT max(id) FROM exchanges WHERE status = 'completed')"
    cases = {
        "acknowledged messages lost": "DELETE FROM messages WHERE id = (SELECT max(id) FROM messages)",
        "messages stored twice": """
            INSERT INTO messages (exchange, room, user_id, role, text, timestamp)
            SELECT exchange, room, user_id, role, text, timestamp FROM messages WHERE id = 1""",
        "messages stored that nobody sent": "UPDATE messages SET text = 'nobody' WHERE id = 1",
        "exchanges that have not ended": f"UPDATE exchanges SET status = 'streaming' WHERE {last}",
        "watchers whose text differs from the stored": f"UPDATE exchanges SET text = text || '!' WHERE {last}",
        "announced ends that differ from the stored": f"UPDATE exchanges SET text = text || '!' WHERE {last}",
        "stored answers that the agent did not give": f"UPDATE exchanges SET text = text || '!' WHERE {last}",
    }
    for name, sql in cases.items():
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(sql)
        found = soak.compare()
        assert found[name] == 1 or name.startswith("watchers") and found[name] > 0, (name, found)
        path.write_bytes(whole)


def test_a_cancel_ends_the_upstream_whatever_way_it_comes(tmp_path):
    soak = CancelSoak(tmp_path, cancels=120, streams=30, seed=4)
    rows, faults = soak.run()
    counted = dict(rows)
    assert not any(faults.values()), (faults, soak.log.violations[:5])
    for way in ["stream", "room", "session", "message", "message, right behind the message"]:
        assert counted[f"cancels by {way}"] > 0, counted
    assert counted["upstreams closed by a cancel"] > 50 and counted["cancels from another device"] > 30

    # It would find what it looks for.
    first = next(answer for answer in soak.model.answers if answer.closed_at and answer.sent)
    messages = {message.key: message for talk in soak.talks for message in talk.messages}
    message = messages[first.keys[-1]]
    cases = {
        "tokens sent after the upstream was closed": (first, "after_the_end", 1),
        "answers with a token after the cancel was answered": (first, "last_at", time.monotonic_ns()),
        "upstreams closed without a cancel": (message, "cancels", []),
        "upstreams that were not closed": (first, "went_on", True),
        "stored texts that the model did not say": (first, "sent", 0),
    }
    for name, (spoiled, field, value) in cases.items():
        whole = getattr(spoiled, field)
        setattr(spoiled, field, value)
        found = soak.compare()
        setattr(spoiled, field, whole)
        assert found[name] >= 1, (name, found)
    with contextlib.closing(sqlite3.connect(soak.hub.data / "hubbub.db", isolation_level=None)) as connection:
        connection.execute("UPDATE exchanges SET status = 'completed', usage = NULL, text = text || '!'")
    found = soak.compare()
    for name in [
            "accepted cancels whose answer ended otherwise", "watchers' texts that differ from the stored",
            "announced ends that differ from the stored", "stored texts that the model did not say"]:
        assert found[name] > 0, (name, found)
