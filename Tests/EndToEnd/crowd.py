"""Many watchers of one room in one process: they read everything and keep no more than how many tokens they have."""

import json
import selectors
import struct
import time

from hub_process import DEADLINE_SECONDS
from raw_client import TEXT, RawConnection


class Crowd:
    """So many sockets, each of a user of its own, that have joined a room."""

    def __init__(self, hub, room_id, count):
        self._selector = selectors.DefaultSelector()
        self._watchers = [_Watcher(hub, room_id, f"watcher{number}") for number in range(count)]
        for watcher in self._watchers:
            self._selector.register(watcher.socket, selectors.EVENT_READ, watcher)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._selector.close()
        for watcher in self._watchers:
            watcher.socket.close()

    def wait_chunks(self, number):
        """Reads until everybody has got so many chunks."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        lacking = {watcher for watcher in self._watchers if watcher.chunks < number}
        while lacking:
            assert time.monotonic() < deadline, f"{len(lacking)} watchers lack chunk {number}"
            for key, _ in self._selector.select(1):
                key.data.read()
                if key.data.chunks >= number:
                    lacking.discard(key.data)
        assert all(watcher.chunks == number for watcher in self._watchers), "somebody got more than was said"


class _Watcher:
    def __init__(self, hub, room_id, user):
        connection = RawConnection(hub)
        assert connection.upgrade(path=f"/ws?user_id={user}").status == 101
        connection.send_frame(TEXT, json.dumps({"type": "join", "id": "1", "room_id": room_id}).encode())
        connection.next_json("joined")
        self.socket, self._rest = connection.detach()
        self.chunks = 0

    def read(self):
        piece = self.socket.recv(1 << 20)
        assert piece, "the hub closed a watcher's socket"
        data = self._rest + piece
        start = 0
        while (end := _frame_end(data, start)) is not None:
            self.chunks += b'"type":"chunk"' in data[start:start + 40]
            start = end
        self._rest = data[start:]


def _frame_end(data, start):
    """Where a whole frame that begins there ends."""
    if len(data) - start < 10:
        return None
    length, header = data[start + 1], 2
    if length == 126:
        [length], header = struct.unpack_from(">H", data, start + 2), 4
    elif length == 127:
        [length], header = struct.unpack_from(">Q", data, start + 2), 10
    end = start + header + length
    return end if end <= len(data) else None
