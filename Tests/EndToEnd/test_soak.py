"""The long attacks of `./dev soak`, for a few seconds each."""

import contextlib
import sqlite3

from kill_soak import KillSoak


def test_kills_under_load_lose_and_double_nothing(tmp_path):
    soak = KillSoak(tmp_path, kills=3, streams=15, watchers=30, seed=4)
    rows, faults = soak.run()
    counted = dict(rows)
    assert not any(faults.values()), (faults, soak.log.violations[:5])
    # It would find nothing where nothing happened.
    assert counted["exchanges interrupted"] > 0 and counted["exchanges completed"] > 0
    assert counted["ends announced to a client"] > 0 and counted["joins with a snapshot"] >= 3 * 45
    expect_that_it_finds(soak)


def expect_that_it_finds(soak):
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
