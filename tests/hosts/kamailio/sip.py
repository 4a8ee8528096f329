"""A small SIP client over UDP, which sends concurrent requests and matches their replies."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass

RESEND = 0.5
"""Seconds after which a request is sent again, as UDP may lose it (RFC 3261's timer T1)."""


@dataclass
class Reply:
    """The reply to a request."""

    status: int
    reason: str
    seconds: float
    """The time since the request was first sent."""


class Caller:
    """Sends requests to one SIP server, and matches replies by their Call-ID."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(("127.0.0.1", port))
        self._mine = self._socket.getsockname()[1]

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def ask(self, method: str, ids: list[str], limit: float, at_once: int = 16) -> dict[str, Reply]:
        """Sends a request for each Call-ID, concurrently. Returns the replies in time."""
        waiting = list(ids)
        first: dict[str, float] = {}
        last: dict[str, float] = {}
        replies: dict[str, Reply] = {}
        end = time.monotonic() + limit
        while len(replies) < len(ids) and time.monotonic() < end:
            now = time.monotonic()
            while waiting and len(last) < at_once:
                call = waiting.pop(0)
                first[call] = last[call] = now
                self._send(method, call)
            for call, sent in last.items():
                if now - sent > RESEND:
                    last[call] = now
                    self._send(method, call)
            self._socket.settimeout(0.05)
            try:
                text = self._socket.recv(65536).decode()
            except (TimeoutError, ConnectionRefusedError):
                continue
            head, *lines = text.split("\r\n")
            _, status, reason = head.split(" ", 2)
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines if line)}
            call = headers["call-id"]
            if int(status) >= 200 and last.pop(call, None) is not None:
                took = time.monotonic() - first[call]
                replies[call] = Reply(int(status), reason, took)
        return replies

    def _send(self, method: str, call: str) -> None:
        # The server does not listen yet. The request is sent again.
        with suppress(ConnectionRefusedError):
            self._socket.send(self._request(method, call))

    def _request(self, method: str, call: str) -> bytes:
        return (
            f"{method} sip:service@127.0.0.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self._mine};branch=z9hG4bK{call};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:caller@127.0.0.1>;tag={call}\r\n"
            f"To: <sip:service@127.0.0.1>\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode()
