"""The long attacks of `./dev soak`, for a few seconds each."""

from kill_soak import KillSoak


def test_kills_under_load_lose_and_double_nothing(tmp_path):
    soak = KillSoak(tmp_path, kills=3, streams=15, watchers=30, seed=4)
    rows, faults = soak.run()
    counted = dict(rows)
    assert not any(faults.values()), (faults, soak.log.violations[:5])
    # It would find nothing where nothing happened.
    assert counted["exchanges interrupted"] > 0 and counted["exchanges completed"] > 0
    assert counted["ends announced to a client"] > 0 and counted["joins with a snapshot"] >= 3 * 45
