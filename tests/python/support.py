"""Helpers of the tests: separate processes, environments, recorded requests, servers."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import (
    Any,
    Callable,
    Dict,
    Generic,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
)

from bw_webrtc import Client
from bw_webrtc.testing import Sandbox

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "bindings" / "python"
LIMIT = 30.0
"""The limit of every wait, in seconds."""

T = TypeVar("T")
S = TypeVar("S", bound="HttpServer")


def python(
    arguments: Sequence[str],
    environment: Optional[Mapping[str, Optional[str]]] = None,
    cwd: Optional[Path] = None,
) -> subprocess.CompletedProcess[str]:
    """Runs Python with the package on its path. None unsets a variable of ``environment``."""
    path = [str(PACKAGE / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
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
    """A call of a function in a new thread."""

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
        """The result of the function; raises its exception."""
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "the thread is still running"
        if self._error is not None:
            raise self._error
        return self._result[0]


class SilentServer:
    """A server that accepts connections and requests, and never responds."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(LIMIT)
        self._connections: List[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def wait_for_request(self) -> bytes:
        """Waits for the head of a request, so that a call is in progress, and returns the head."""
        connection, _ = self._socket.accept()
        connection.settimeout(LIMIT)
        self._connections.append(connection)
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(65536)
            assert more, "the client closed the connection before it sent a request"
            head += more
        return head

    def expect_nothing(self) -> None:
        """Asserts that the client did not connect."""
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
        for connection in [*self._connections, self._socket]:
            connection.close()


class HttpServer:
    """An HTTP server in this interpreter.

    ``respond`` receives the body of a request, and returns the status and the JSON document of the
    response.
    """

    def __init__(self, respond: Callable[[bytes], Tuple[int, Any]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                status, document = respond(self.rfile.read(length))
                body = b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self: S) -> S:
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


class PageServer:
    """A server for BRTC Endpoints with persistent connections.

    ``respond`` receives the path of a request with its query, and returns the JSON document.
    """

    def __init__(self, respond: Callable[[str], Any]) -> None:
        paths: List[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # The head and the body are sent together.
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                paths.append(self.path)
                body = json.dumps(respond(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.paths = paths
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        url = f"http://127.0.0.1:{self._server.server_port}"
        self.options: Dict[str, Any] = {
            "account_id": "9900000",
            "username": "user",
            "password": "secret",
            "base_url": f"{url}/v1",
            "endpoints_url": f"{url}/v2",
            "timeout": LIMIT,
        }

    def client(self) -> Client:
        return Client(**self.options)

    def __enter__(self) -> PageServer:
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


class WebhookServer(HttpServer):
    """A server for webhooks, whose callback URL is ``url``."""

    def __init__(self) -> None:
        bodies: queue.Queue[bytes] = queue.Queue()

        def respond(body: bytes) -> Tuple[int, None]:
            bodies.put(body)
            return 204, None

        super().__init__(respond)
        self._bodies = bodies

    def body(self) -> bytes:
        """Waits for the next webhook, and returns its body."""
        return self._bodies.get(timeout=LIMIT)


VARIABLES = (
    *("BW_ACCOUNT_ID", "BW_CLIENT_ID", "BW_CLIENT_SECRET", "BW_USERNAME", "BW_PASSWORD"),
    *("BW_BASE_URL", "BW_ENDPOINTS_URL", "BW_TOKEN_URL"),
)
Environment = Dict[str, Optional[str]]


def environment(sandbox: Sandbox, **changed: Optional[str]) -> Environment:
    """The variables for a client of this sandbox with API credentials; the others are unset."""
    return {**dict.fromkeys(VARIABLES), **sandbox.environment(), **changed}


def api_user_environment(sandbox: Sandbox, **changed: Optional[str]) -> Environment:
    """The variables for a client of this sandbox with a user name; the others are unset."""
    unset = dict.fromkeys(("BW_CLIENT_ID", "BW_CLIENT_SECRET", "BW_TOKEN_URL"))
    user = {"BW_USERNAME": sandbox.username, "BW_PASSWORD": sandbox.password}
    return {**environment(sandbox), **unset, **user, **changed}


def statuses(sandbox: Sandbox, operation: Optional[str] = None) -> List[int]:
    """The HTTP statuses of the recorded requests."""
    return [request["status"] for request in sandbox.requests(operation)]


def bodies(sandbox: Sandbox, operation: Optional[str] = None) -> List[Any]:
    """The bodies of the recorded requests."""
    return [request["body"] for request in sandbox.requests(operation)]
