"""`hubbub backup` and `hubbub check`, beside a hub under load and without one."""

import contextlib
import os
import pty
import signal
import subprocess
import threading
import time

import pytest

from faulty_disk import FaultyDisk
from hub_process import BINARY, DEADLINE_SECONDS, environment, run_command


def backup(file, data, code=0):
    done = run_command("backup", file, "--data", data)
    assert done.returncode == code, done.stderr
    return done


def check(*arguments, code=0):
    done = run_command("check", *arguments)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def fill(client, room_id, count):
    """Messages of 32 KB that nobody answers."""
    for number in range(count):
        client.ask("send", room_id=room_id, text=f"{number} " + "x" * 32_000, respond=False)


def test_a_backup_under_load_has_all_that_was_acknowledged_before_it_began(start_hub, open_client, tmp_path):
    hub = start_hub()
    room_id = hub.create_room()
    fill(open_client(hub), room_id, 40)
    acknowledged, over = [], threading.Event()

    def write(user):
        client = open_client(hub, user)
        while not over.is_set():
            text = f"{user} {len(acknowledged)}"
            client.ask("send", room_id=room_id, text=text, respond=False)
            acknowledged.append(text)

    writers = [threading.Thread(target=write, args=(f"user{number}",)) for number in range(4)]
    for writer in writers:
        writer.start()
    copies = []
    for number in range(5):
        before = list(acknowledged)
        copies.append((tmp_path / f"copy{number}" / "hubbub.db", before))
        copies[-1][0].parent.mkdir()
        backup(copies[-1][0], hub.data)
        assert check(copies[-1][0]).stdout.startswith("sound: ")
        check("--data", hub.data)
    over.set()
    for writer in writers:
        writer.join(DEADLINE_SECONDS)
    assert len(copies[-1][1]) > len(copies[0][1])

    path, before = copies[-1]
    restored = start_hub(data=path.parent)
    texts, offset = set(), 0
    while rows := restored.history(room_id, limit=200, offset=offset):
        texts |= {row["user_input"] for row in rows}
        offset += len(rows)
    assert set(before) <= texts


def test_a_backup_without_a_hub_and_of_a_killed_one(start_hub, open_client, model, tmp_path):
    hub = start_hub(config=model.config())
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="Hello")
    model.next_call().say("Hel")
    client.wait_text(ack["stream_id"], 3)
    hub.kill()
    found = check("--data", hub.data)
    assert "1 exchanges have not ended" in found.stderr
    (tmp_path / "copy").mkdir()
    assert "backed up " in backup(tmp_path / "copy" / "hubbub.db", hub.data).stdout
    restored = start_hub(data=tmp_path / "copy")
    assert restored.row(room_id, ack["exchange_id"])["status"] == "interrupted"
    restored.stop()
    assert check("--data", restored.data).stderr == ""
    # What was left by a check or a backup does not keep a hub from starting.
    start_hub(data=hub.data)


def test_nothing_is_overwritten(start_hub, tmp_path):
    hub = start_hub()
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    assert "exists already" in backup(copy, hub.data, code=1).stderr
    assert copy.read_text() == "precious"
    assert "No such file" in backup(tmp_path / "none" / "copy.db", hub.data, code=1).stderr
    assert "There is no hubbub.db" in backup(tmp_path / "new.db", tmp_path, code=1).stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "hub1"]


@pytest.fixture
def slow_backup(start_hub, open_client, tmp_path):
    """Starts a backup of more than one step whose writes hang until the disk is healed."""
    hub = start_hub()
    fill(open_client(hub), hub.create_room(), 200)
    disk = FaultyDisk(tmp_path)
    disk.hang("write")
    copy = tmp_path / "copy-of-hubbub.db"

    def start(stderr):
        process = subprocess.Popen(
            [BINARY, "backup", copy, "--data", hub.data], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=stderr, text=True, env=environment(**disk.environment))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not copy.with_name(copy.name + ".partial").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process, disk, copy

    return start


def test_an_interrupted_backup_leaves_nothing(slow_backup):
    process, disk, copy = slow_backup(subprocess.PIPE)
    process.send_signal(signal.SIGINT)
    disk.heal()
    stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 130 and "broken off" in stderr and stdout == ""
    assert [path for path in copy.parent.iterdir() if path.name.startswith(copy.name)] == []


def test_a_full_disk_leaves_nothing(slow_backup):
    process, disk, copy = slow_backup(subprocess.PIPE)
    disk.fail("write", "ENOSPC", after=500)
    _, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1 and "full" in stderr and "Choose another place" in stderr
    assert [path for path in copy.parent.iterdir() if path.name.startswith(copy.name)] == []


def test_a_long_backup_says_on_a_terminal_how_far_it_is(slow_backup):
    ours, its = pty.openpty()
    process, disk, copy = slow_backup(its)
    os.close(its)
    time.sleep(1.2)
    disk.heal()
    stdout, _ = process.communicate(timeout=DEADLINE_SECONDS)
    shown = ""
    # A terminal that nobody holds any more ends with an error.
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 10_000):
            shown += piece.decode()
    os.close(ours)
    assert process.returncode == 0 and "backed up " in stdout
    assert " %: " in shown and " of " in shown and shown.endswith("\r\x1b[K"), shown
    check(copy)


def test_damage_is_found(start_hub, open_client, tmp_path):
    hub = start_hub()
    fill(open_client(hub), hub.create_room(), 20)
    hub.stop()
    hub.is_damaged = True
    check("--data", hub.data)
    path = hub.data / "hubbub.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:40_000] + b"\xa5" * 20_000 + whole[60_000:])
    for arguments in (["--data", hub.data], [path]):
        found = check(*arguments, code=3)
        assert "hubbub: fault: " in found.stderr and "restore a backup" in found.stderr and found.stdout == ""
    path.write_bytes(b"This is not a database. " * 100)
    check("--data", hub.data, code=3)
    assert "No such file" in check(tmp_path / "none.db", code=1).stderr
    assert "unexpected argument" in check(path, "--data", hub.data, code=2).stderr
