"""What a token costs the hub in calls, counted: with io_uring one for all watchers, else one for each; nothing else.

Counted on the release binary, since unoptimised code allocates where its loops do not show it.
"""

import ctypes
import errno
import json
import os
import statistics

import pytest

from call_counter import CallCounter, Calls
from crowd import Crowd
from hub_process import RELEASE_BINARY

pytestmark = pytest.mark.check

TOKENS = 40
TOKEN_BYTES = 120
WATCHERS = [10, 100, 1000]
# Of one token, whoever watches: to take what releases it, to merge, encode and log it, and to store it now and then.
ALLOCATIONS_MAX = 30
TIMER_ALLOCATIONS = 5
# Nothing is merged by time, so that a token is a delivery.
LIMITS = {"coalesce_milliseconds_max": 0, "drain_seconds": 0}
SYS_IO_URING_SETUP = 425
# Fewer sends are made one by one.
RING_SENDS_MIN = 16


def has_ring():
    """Whether the kernel lets us have an io_uring: refused for want of arguments, not of the call."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(SYS_IO_URING_SETUP, 0, None)
    return ctypes.get_errno() not in (errno.ENOSYS, errno.EPERM)


def count(start_hub, open_client, directory, watchers, *flags, **environment):
    """The loop's calls up to each of some tokens, each said when all watchers have the one before."""
    assert os.path.exists(RELEASE_BINARY), "there is no release binary; './dev build' makes it"
    counter = CallCounter(directory)
    hub = start_hub(
        "--synthetic", *flags, loops=1, env=counter.environment | environment, config={"limits": LIMITS},
        binary=RELEASE_BINARY)
    room_id = hub.create_room()
    author = open_client(hub)
    author.join(room_id)
    calls = []
    with Crowd(hub, room_id, watchers - 1) as crowd:
        script = json.dumps({"window": 1, "token_bytes": TOKEN_BYTES})
        stream = author.ask("send", room_id=room_id, text=script, agent_type="synthetic")["stream_id"]
        # The room's states are quiet once they say that the agent answers.
        author.find(
            lambda frame: any(agent["state"] == "answering" for agent in frame.get("agents", [])), "its presence")
        for number in range(1, TOKENS + 12):
            author.wait_text(stream, number * TOKEN_BYTES)
            crowd.wait_chunks(number)
            calls.append(counter.calls)
            author.post("release", stream_id=stream, tokens=1)
    # With the first ones grows what is kept for the others.
    return calls[-TOKENS - 1:]


def per_token(calls):
    """What the typical token costs, without what happens only now and then."""
    differences = [map(int.__sub__, after, before) for before, after in zip(calls, calls[1:])]
    return Calls(*map(statistics.median, zip(*differences)))


@pytest.fixture(scope="module")
def counted():
    """By the number of watchers."""
    return {}


@pytest.mark.parametrize("watchers", WATCHERS)
def test_a_token_is_one_send_for_each_watcher(start_hub, open_client, tmp_path, counted, watchers):
    calls = counted[watchers] = count(start_hub, open_client, tmp_path, watchers, "--no-io-uring")
    assert calls[-1].sends - calls[0].sends == TOKENS * watchers
    assert per_token(calls).sends == watchers


@pytest.mark.parametrize("watchers", WATCHERS)
def test_with_io_uring_it_is_one_call_for_all(start_hub, open_client, tmp_path, counted, watchers):
    if not has_ring():
        pytest.skip("this kernel has no io_uring, or does not allow it")
    calls = count(start_hub, open_client, tmp_path, watchers)
    in_ring = watchers >= RING_SENDS_MIN
    assert calls[-1].rings - calls[0].rings == (TOKENS if in_ring else 0)
    assert calls[-1].sends - calls[0].sends == (0 if in_ring else TOKENS * watchers)
    assert abs(per_token(calls).allocations - per_token(counted[watchers]).allocations) <= TIMER_ALLOCATIONS


def test_where_the_kernel_has_no_io_uring_the_hub_says_so_once(start_hub, open_client, tmp_path):
    calls = count(start_hub, open_client, tmp_path, 100, RING="absent")
    assert calls[-1].sends - calls[0].sends == TOKENS * 100 and calls[-1].rings == 0
    [log] = tmp_path.rglob("stderr")
    assert log.read_text().count("sends go one by one") == 1


def test_what_io_uring_does_not_take_is_sent_all_the_same(start_hub, open_client, tmp_path):
    if not has_ring():
        pytest.skip("this kernel has no io_uring, or does not allow it")
    calls = count(start_hub, open_client, tmp_path, 100, RING="busy")
    assert calls[-1].rings - calls[0].rings == TOKENS
    assert calls[-1].sends - calls[0].sends == TOKENS * 100 / 2


def test_nothing_else_is_done_for_a_watcher(counted):
    few, some, many = (per_token(counted[watchers]) for watchers in WATCHERS)
    for more in (some, many):
        # A timer may come between two tokens of a large room, which takes longer; a watcher adds nothing.
        assert abs(more.allocations - few.allocations) <= TIMER_ALLOCATIONS
    for cost in (few, some, many):
        # One frame that releases the token, and a sleep, or two with a timer.
        assert cost.receives == 1 and cost.waits <= 2 and cost.controls == cost.reads == cost.writes == 0
    for calls in counted.values():
        assert calls[-1].allocations - calls[0].allocations <= ALLOCATIONS_MAX * TOKENS
