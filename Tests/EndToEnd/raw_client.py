"""Sockets that send exactly the bytes they are told to: HTTP requests and WebSocket frames that no library would."""

import base64
import json
import os
import socket
import struct

from hub_process import DEADLINE_SECONDS

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class RawConnection:
    """A TCP connection to the hub with a reader of HTTP responses and WebSocket frames."""

    def __init__(self, hub):
        self.hub = hub
        self._socket = socket.create_connection((hub.host, hub.port), timeout=DEADLINE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def detach(self):
        """The socket, which does not block from now on, and what was received and not read."""
        self._socket.setblocking(False)
        return self._socket, self._buffer

    def send(self, data):
        """Sends; a hub that has refused already and closed is no fault."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _fill(self):
        """False when the hub has closed."""
        try:
            piece = self._socket.recv(65536)
        except ConnectionResetError:
            return False
        self._buffer += piece
        return bool(piece)

    def _take(self, count):
        while len(self._buffer) < count:
            assert self._fill(), f"closed after {self._buffer!r}"
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def is_closed(self):
        """Waits for the hub's close; false if more bytes come instead."""
        return not self._buffer and not self._fill()

    # HTTP.

    def response(self, to_head=False):
        while b"\r\n\r\n" not in self._buffer:
            assert self._fill(), f"closed before a whole response: {self._buffer!r}"
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        version, status, _ = (lines[0] + " ").split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        length = 0 if to_head or status in ("100", "101", "204", "304") else int(headers["content-length"])
        return Response(int(status), headers, self._take(length))

    def request(self, data):
        self.send(data)
        return self.response()

    # WebSocket.

    def upgrade(self, method="GET", path="/ws", version="1.1", **changes):
        """Opens `/ws`; `changes` replaces or, with None, removes header fields of the handshake."""
        headers = {
            "Host": f"{self.hub.host}:{self.hub.port}", "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": "hubbub.v1",
        } | {name.replace("_", "-"): value for name, value in changes.items()}
        line = f"{method} {path} HTTP/{version}"
        lines = [line] + [f"{name}: {value}" for name, value in headers.items() if value is not None]
        return self.request(("\r\n".join(lines) + "\r\n\r\n").encode())

    def send_frame(self, opcode, payload=b"", **options):
        self.send(frame(opcode, payload, **options))

    def next_frame(self):
        """The next frame's opcode and payload; the hub's frames are whole and unmasked."""
        first, second = self._take(2)
        assert first & 0x70 == 0 and second & 0x80 == 0
        length = second & 0x7F
        if length == 126:
            [length] = struct.unpack(">H", self._take(2))
        elif length == 127:
            [length] = struct.unpack(">Q", self._take(8))
        return first & 0x0F, self._take(length)

    def next_json(self, *types):
        """The next text frame of one of these types."""
        while True:
            opcode, payload = self.next_frame()
            assert opcode == TEXT, (opcode, payload)
            value = json.loads(payload)
            if value["type"] in types:
                return value

    def close_code(self):
        """Reads up to the hub's close frame; returns its code."""
        while True:
            opcode, payload = self.next_frame()
            if opcode == CLOSE:
                return struct.unpack(">H", payload[:2])[0] if payload else 1005


def frame(opcode, payload=b"", fin=True, masked=True, reserved=0, length=None):
    """One WebSocket frame; `length` announces another length than the payload has."""
    length = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    if length < 126:
        head += bytes([mask_bit | length])
    elif length < 1 << 16:
        head += bytes([mask_bit | 126]) + struct.pack(">H", length)
    else:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", length)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    stream = mask * (len(payload) // 4 + 1)
    masked_payload = int.from_bytes(payload, "big") ^ int.from_bytes(stream[:len(payload)], "big")
    return head + mask + masked_payload.to_bytes(len(payload), "big")
