"""Helpers of the tests: programs in processes of their own, servers that never answer."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Generic, List, Mapping, Optional, Sequence, Type, TypeVar

from bw_webrtc import Client

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "bindings" / "python"
LIMIT = 30.0
"""Seconds after which whatever is waited for has failed."""

T = TypeVar("T")


def python(
    arguments: Sequence[str],
    environment: Optional[Mapping[str, Optional[str]]] = None,
    cwd: Optional[Path] = None,
) -> subprocess.CompletedProcess[str]:
    """Runs Python with the package in its path, and these variables set (None: unset)."""
    env = {**os.environ, "PYTHONPATH": str(PACKAGE / "src")}
    for name, value in (environment or {}).items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return subprocess.run(
        [sys.executable, *arguments],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
        check=False,
    )


class Background(Generic[T]):
    """A function's run on a thread of its own."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._result: List[T] = []
        self._error: Optional[BaseException] = None

        def run() -> None:
            try:
                self._result.append(function())
            except BaseException as error:
                self._error = error

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def result(self) -> T:
        """What it returned; raises what it raised."""
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "the thread did not end"
        if self._error is not None:
            raise self._error
        return self._result[0]


class SilentServer:
    """Takes connections and requests, and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(LIMIT)
        self._taken: List[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def wait_for_request(self) -> bytes:
        """Waits until a request's head has come, so that a call is surely in flight."""
        connection, _ = self._socket.accept()
        connection.settimeout(LIMIT)
        self._taken.append(connection)
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(65536)
            assert more, "the client closed before it had sent a request"
            head += more
        return head

    def expect_nothing(self) -> None:
        """Checks that no connection is waiting to be accepted."""
        self._socket.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            self._socket.accept()
            raise AssertionError("a connection was made")

    def client(self, **options: Any) -> Client:
        options.setdefault("timeout", LIMIT)
        if "client_id" not in options:
            options = {"username": "user", "password": "secret", **options}
        return Client("9900000", base_url=self.url, **options)

    def __enter__(self) -> SilentServer:
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        for connection in [*self._taken, self._socket]:
            connection.close()


class WebhookServer:
    """Takes webhooks, one at a time. ``url``: the callback URL to give."""

    def __init__(self) -> None:
        self._bodies: queue.Queue[bytes] = queue.Queue()
        bodies = self._bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.put(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def body(self) -> bytes:
        """The next webhook's body."""
        return self._bodies.get(timeout=LIMIT)

    def __enter__(self) -> WebhookServer:
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._server.shutdown()
        self._thread.join(LIMIT)
        self._server.server_close()
