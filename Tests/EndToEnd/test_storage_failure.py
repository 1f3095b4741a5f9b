"""A disk that is full, broken, locked, damaged or gone: nothing is acknowledged that is not stored, the hub stays up
and says what is wrong, and goes on when the disk does, without a restart."""

import contextlib
import random
import resource
import shutil
import sqlite3
import subprocess
import threading
import time

import pytest

from faulty_disk import FaultyDisk
from hub_process import DEADLINE_SECONDS, run_command

# The hub tries its disk once a second. Generous for a busy machine.
SOON_SECONDS = 10


@pytest.fixture
def disk(tmp_path):
    return FaultyDisk(tmp_path)


def wait_for(is_true, what, within=SOON_SECONDS):
    deadline = time.monotonic() + within
    while not (value := is_true()):
        assert time.monotonic() < deadline, f"{what} did not come within {within} s"
        time.sleep(0.02)
    return value


def wait_ready(hub, within=SOON_SECONDS):
    wait_for(lambda: hub.http.get("/readyz").status_code == 200, "readiness", within)
    assert hub.http.get("/api/health").json()["checks"]["database"]["status"] == "healthy"


def expect_trouble(hub, *reasons):
    """Every probe but that of the process says what is wrong."""
    ready = hub.http.get("/readyz")
    assert ready.status_code == 503 and ready.json()["status"] == "unavailable"
    health = hub.http.get("/api/health")
    assert health.status_code == 503 and health.json()["status"] == "unhealthy"
    database = health.json()["checks"]["database"]
    assert database["status"] == "unhealthy" and database["failing_seconds"] >= 0
    for reason in (ready.json()["reason"], database["error"]):
        assert any(part in reason for part in reasons), reason
    assert hub.http.get("/healthz").status_code == 200


def stored(hub, room_id):
    """Each stored message's text, as often as it is there."""
    return [text for row in hub.history(room_id, limit=200) for text in row["user_input"].split("\n")]


FAULTS = {
    "full": (("write", "ENOSPC"), "full"),
    "full in the midst of a transaction": (("write", "ENOSPC", 3), "full"),
    "over quota": (("write", "EDQUOT"), "I/O error"),
    "broken": (("write", "EIO"), "I/O error"),
    "broken in the midst of a transaction": (("write", "EIO", 2), "I/O error"),
    "not syncing": (("sync", "EIO"), "I/O error"),
    "read-only": (("write", "EROFS"), "Read-only file system"),
}


@pytest.mark.parametrize("fault, reason", FAULTS.values(), ids=FAULTS)
def test_nothing_is_acknowledged_that_is_not_stored(fault, reason, start_hub, open_client, model, disk):
    hub = start_hub(config=model.config(limits={"streams_per_user": 100}), env=disk.environment)
    room_id, other = hub.create_room(), hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    running = client.ask("send", room_id=room_id, text="before", message_id="before")
    call = model.next_call()
    call.say("One, ")
    client.wait_text(running["stream_id"], 5)

    disk.fail(*fault)
    # What of it fits before the fault is stored and acknowledged; then nothing is.
    answers = [client.answer(client.post("send", room_id=other, text=f"lost {number}")) for number in range(8)]
    for number, answer in enumerate(answers):
        assert answer["type"] == "ack" or answer["code"] == "STORAGE_UNAVAILABLE", answer
    assert client.refusal("send", room_id=other, text="later", message_id="m1")["code"] == "STORAGE_UNAVAILABLE"
    assert client.refusal("create-room", room_name="None")["code"] == "STORAGE_UNAVAILABLE"
    hub.refusal("POST", "/api/rooms", 503, "STORAGE_UNAVAILABLE", json={"user_id": "ann", "room_name": "None"})
    expect_trouble(hub, reason)
    # Who reads is served, and a stream goes on.
    assert [row["status"] for row in hub.history(room_id)] == ["streaming"]
    call.say("two, ")
    client.wait_text(running["stream_id"], 10)
    assert hub.stderr.count("storage fails") == 1, "the log says it once"

    disk.heal()
    wait_ready(hub)
    assert hub.stderr.count("storage works again") == 1
    call.say("three.")
    call.finish()
    assert client.wait("stream-ended", stream_id=running["stream_id"])["status"] == "completed"
    again = client.ask("send", room_id=other, text="later", message_id="m1")
    assert "duplicate" not in again
    hub.kill()

    hub = start_hub(config=model.config(), data=hub.data)
    acknowledged = [f"lost {number}" for number, answer in enumerate(answers) if answer["type"] == "ack"]
    assert sorted(stored(hub, other)) == sorted([*acknowledged, "later"])
    [row] = hub.history(room_id)
    assert (row["status"], row["agent_response"]) == ("completed", "One, two, three.")
    assert hub.http.get("/api/rooms", params={"user_id": "ann"}).json()["data"]["total"] == 2


def test_an_outage_that_outlasts_an_answer_is_told_and_made_good(start_hub, open_client, model, disk):
    hub = start_hub(config=model.config(), env=disk.environment)
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="Tell me")
    call = model.next_call()
    call.say("stored")
    client.wait_text(ack["stream_id"], 6)
    with sqlite3.connect(hub.data / "hubbub.db") as database:
        wait_for(lambda: database.execute("SELECT count(*) FROM segments").fetchone()[0], "a checkpoint")
    database.close()
    disk.fail("write", "ENOSPC")
    call.say(" and not")
    call.finish()
    ended = client.wait("stream-ended", stream_id=ack["stream_id"])
    assert (ended["status"], ended["error"]["code"]) == ("failed", "STORAGE_UNAVAILABLE")
    assert (ended["length"], ended["stored_length"]) == (14, 6)
    assert client.texts[ack["stream_id"]] == "stored and not"
    assert hub.row(room_id, ack["exchange_id"])["status"] == "streaming", "on disk it has not ended"

    disk.heal()
    row = hub.wait_row(room_id, "failed")
    assert row["agent_response"] == "stored and not"
    assert client.ask("send", room_id=room_id, text="And now?")
    model.next_call().finish()


def test_a_database_that_another_program_holds(start_hub, open_client, model):
    hub = start_hub(config=model.config())
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    with contextlib.closing(sqlite3.connect(hub.data / "hubbub.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asked = client.post("send", room_id=room_id, text="Hello", message_id="m1")
        # The probes do not wait as long as the writer does; for a second the last write counts.
        wait_for(lambda: hub.http.get("/readyz").status_code == 503, "a trouble", within=5)
        expect_trouble(hub, "has not come back", "does not answer", "locked")
        assert client.answer(asked)["code"] == "STORAGE_UNAVAILABLE"
        client.ask("ping")
        expect_trouble(hub, "database is locked")
        began = time.monotonic()
        assert client.refusal("send", room_id=room_id, text="Hello", message_id="m1")["code"] == "STORAGE_UNAVAILABLE"
        assert time.monotonic() - began < 3, "while it is known to be locked nobody waits for long"
        other.execute("ROLLBACK")
    wait_ready(hub)
    assert "duplicate" not in client.ask("send", room_id=room_id, text="Hello", message_id="m1")
    model.next_call().finish()


def test_a_disk_that_hangs_is_told_and_delays_only_what_must_be_stored(start_hub, open_client, model, disk):
    hub = start_hub(config=model.config(), env=disk.environment)
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    disk.hang("sync")
    asked = client.post("send", room_id=room_id, text="Hello")
    wait_for(lambda: hub.http.get("/readyz").status_code == 503, "a trouble", within=5)
    expect_trouble(hub, "has not come back", "does not answer")
    began = time.monotonic()
    client.ask("ping")
    assert time.monotonic() - began < 1
    assert not any(frame.get("id") == asked for frame in client.frames), "it is not on disk"
    disk.heal()
    assert client.answer(asked)["type"] == "ack"
    wait_ready(hub)
    model.next_call().finish()


def test_a_disk_that_cannot_be_read(start_hub, open_client, disk):
    hub = start_hub()
    rooms = [hub.create_room("ann", f"Room {number}") for number in range(20)]
    client = open_client(hub)
    for room_id in rooms:
        client.ask("send", room_id=room_id, text="x" * 20_000, respond=False)
    client.close()
    hub.stop()

    hub = start_hub(data=hub.data, env=disk.environment)
    client = open_client(hub)
    disk.fail("read", "EIO")
    assert {client.refusal("join", room_id=room_id)["code"] for room_id in rooms} == {"STORAGE_UNAVAILABLE"}
    expect_trouble(hub, "I/O error: Input/output error", "the disk cannot be read")
    disk.heal()
    wait_ready(hub)
    for room_id in rooms:
        assert len(client.join(room_id)["history"]) == 1


def test_a_damaged_file_is_told_and_what_is_whole_is_served(start_hub, open_client):
    hub = start_hub(config={"limits": {"rooms_per_user": 0}})
    rooms = [hub.create_room("ann", f"Room {number}") for number in range(60)]
    client = open_client(hub)
    for room_id in rooms:
        client.ask("send", room_id=room_id, text=room_id * 500, respond=False)
    client.close()
    hub.stop()
    path = hub.data / "hubbub.db"
    whole = path.read_bytes()
    first, last = len(whole) // 4 // 4096 * 4096, len(whole) // 2 // 4096 * 4096
    path.write_bytes(whole[:first] + b"\xa5" * (last - first) + whole[last:])

    hub = start_hub(data=hub.data)
    client = open_client(hub)
    joined = [client.answer(client.post("join", room_id=room_id)) for room_id in rooms]
    refused = [frame for frame in joined if frame["type"] == "error"]
    assert refused and {frame["code"] for frame in refused} == {"STORAGE_UNAVAILABLE"}
    whole_rooms = [frame for frame in joined if frame["type"] == "joined"]
    assert whole_rooms
    for frame in whole_rooms:
        if frame["history"]:
            assert frame["history"][0]["messages"][0]["text"] == frame["room_id"] * 500
    expect_trouble(hub, "malformed")
    with open(path, "r+b") as file:
        file.seek(first)
        file.write(whole[first:last])
    wait_ready(hub)
    for room_id in rooms:
        assert client.join(room_id)["history"][0]["messages"][0]["text"] == room_id * 500


def test_a_file_that_is_moved_away_takes_no_message(start_hub, open_client):
    hub = start_hub()
    room_id = hub.create_room()
    client = open_client(hub)
    path, elsewhere = hub.data / "hubbub.db", hub.data / "elsewhere"
    path.rename(elsewhere)
    refusal = client.refusal("send", room_id=room_id, text="Hello", respond=False)
    assert refusal["code"] == "STORAGE_UNAVAILABLE"
    expect_trouble(hub, "moved, removed or replaced")
    assert not path.exists()
    elsewhere.rename(path)
    wait_ready(hub)
    client.ask("send", room_id=room_id, text="Hello", respond=False)


def test_a_log_that_is_removed_is_told_within_a_second_and_nothing_is_lost(start_hub, open_client):
    hub = start_hub()
    room_id = hub.create_room()
    client = open_client(hub)
    client.ask("send", room_id=room_id, text="kept", respond=False)
    (hub.data / "hubbub.db-wal").unlink()
    wait_for(lambda: "storage fails" in hub.stderr, "a line in the log", within=5)
    assert client.refusal("send", room_id=room_id, text="lost", respond=False)["code"] == "STORAGE_UNAVAILABLE"
    expect_trouble(hub, "hubbub.db-wal was moved, removed or replaced; what it held is safe in hubbub.db")
    assert stored(hub, room_id) == ["kept"]
    hub.kill()
    hub = start_hub(data=hub.data)
    assert stored(hub, room_id) == ["kept"]
    open_client(hub).ask("send", room_id=room_id, text="new", respond=False)


def test_a_database_that_is_cut_short_takes_no_message_until_it_is_whole(start_hub, open_client):
    hub = start_hub()
    room_id = hub.create_room()
    hub.stop()
    hub = start_hub(data=hub.data)
    client = open_client(hub)
    client.ask("send", room_id=room_id, text="one", respond=False)
    path = hub.data / "hubbub.db"
    whole = path.read_bytes()
    with open(path, "r+b") as file:
        file.truncate(len(whole) // 2)
    assert client.refusal("send", room_id=room_id, text="lost", respond=False)["code"] == "STORAGE_UNAVAILABLE"
    expect_trouble(hub, "hubbub.db was cut short")
    with open(path, "r+b") as file:
        file.write(whole)
    wait_ready(hub)
    client.ask("send", room_id=room_id, text="two", respond=False)
    assert stored(hub, room_id) == ["two", "one"]


def test_a_limit_of_the_files_size_is_a_full_disk(start_hub, open_client):
    hub = start_hub()
    room_id = hub.create_room()
    client = open_client(hub)
    size = (hub.data / "hubbub.db-wal").stat().st_size
    unlimited = resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, (size + 100_000, unlimited[1]))
    answers = [client.answer(client.post("send", room_id=room_id, text="x" * 30_000, respond=False)) for _ in range(8)]
    assert {answer.get("code", "ack") for answer in answers} == {"ack", "STORAGE_UNAVAILABLE"}
    expect_trouble(hub, "File too large")
    resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, unlimited)
    wait_ready(hub)
    client.ask("send", room_id=room_id, text="last", respond=False)
    acknowledged = len([answer for answer in answers if answer["type"] == "ack"])
    assert len(stored(hub, room_id)) == acknowledged + 1


@contextlib.contextmanager
def small_disk(directory, size):
    """A file system of its own, where one may be mounted."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", directory]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system; the tests above fail the calls themselves")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def test_a_small_file_system_fills_up_and_is_emptied(start_hub, open_client, tmp_path):
    with small_disk(tmp_path / "small", "3m") as directory:
        hub = start_hub(data=directory / "data")
        room_id = hub.create_room()
        client = open_client(hub)
        ballast = directory / "ballast"
        free = shutil.disk_usage(directory).free
        ballast.write_bytes(b"x" * (free - 300_000))
        acknowledged = []
        for number in range(40):
            text = f"{number} " + "x" * 20_000
            if client.answer(client.post("send", room_id=room_id, text=text, respond=False))["type"] == "ack":
                acknowledged.append(text)
        assert 0 < len(acknowledged) < 40
        expect_trouble(hub, "full")
        assert sorted(stored(hub, room_id)) == sorted(acknowledged)
        ballast.unlink()
        wait_ready(hub)
        client.ask("send", room_id=room_id, text="last", respond=False)
        hub.kill()
        hub = start_hub(data=directory / "data")
        assert sorted(stored(hub, room_id)) == sorted([*acknowledged, "last"])
        hub.stop()


def test_a_disk_that_comes_and_goes_under_load(start_hub, open_client, disk):
    hub = start_hub(config={"limits": {"rooms_per_user": 0}}, env=disk.environment)
    rooms = [hub.create_room("ann", f"Room {number}") for number in range(6)]
    acknowledged, refused = [], []
    over = threading.Event()

    def write(number, room_id):
        client = open_client(hub, f"user{number}")
        count = 0
        while not over.is_set():
            count += 1
            text = f"{number}:{count} " + "x" * (count * 997 % 5000)
            answer = client.answer(client.post("send", room_id=room_id, text=text, respond=False))
            (acknowledged if answer["type"] == "ack" else refused).append((room_id, text))

    writers = [threading.Thread(target=write, args=item) for item in enumerate(rooms)]
    for writer in writers:
        writer.start()
    pick = random.Random(5)
    for _ in range(25):
        time.sleep(pick.uniform(0.02, 0.1))
        disk.fail(pick.choice(["write", "sync"]), pick.choice(["EIO", "ENOSPC"]), after=pick.randrange(12))
        time.sleep(pick.uniform(0.02, 0.1))
        disk.heal()
    wait_ready(hub)
    over.set()
    for writer in writers:
        writer.join(DEADLINE_SECONDS)
    assert acknowledged and refused
    hub.kill()

    hub = start_hub(data=hub.data)
    there = {room_id: page_of_all(hub, room_id) for room_id in rooms}
    for room_id, text in acknowledged:
        assert there[room_id].count(text) == 1, text[:20]
    assert all(len(texts) == len(set(texts)) for texts in there.values()), "a message is there twice"
    print(f"{len(acknowledged)} acknowledged, {len(refused)} refused")


def page_of_all(hub, room_id):
    texts, offset = [], 0
    while rows := hub.history(room_id, limit=200, offset=offset):
        texts += [row["user_input"] for row in rows]
        offset += len(rows)
    return texts


def test_a_hub_that_cannot_open_its_disk_says_why(start_hub, tmp_path, disk):
    cases = [(("write", "ENOSPC"), "has space."), (("read", "EIO"), "disk I/O error")]
    start_hub(data=tmp_path / "data").stop()
    for fault, sentence in cases:
        disk.fail(*fault)
        done = run_command("serve", "--port", "0", "--data", tmp_path / "data", env=disk.environment)
        assert done.returncode == 1 and sentence in done.stderr, done.stderr
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "hubbub.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        done = run_command("serve", "--port", "0", "--data", tmp_path / "data")
        assert done.returncode == 1 and "Another program holds" in done.stderr, done.stderr
