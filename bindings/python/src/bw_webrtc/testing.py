"""``bw-sandbox`` from Python, for tests of programs that use this package.

    from bw_webrtc.testing import Sandbox

    with Sandbox() as sandbox, sandbox.client() as client:
        sandbox.fault("createParticipant", "status", status=429, count=1)
        ...
        assert len(sandbox.requests()) == 2

``bw_webrtc.pytest_plugin`` has fixtures for pytest. The sandbox is a separate program: the one that
the environment variable BW_SANDBOX names, otherwise ``bw-sandbox`` on PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.request
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Type
from urllib.parse import quote

from .async_client import AsyncClient
from .client import Client

VARIABLE = "BW_SANDBOX"
_START = 20.0
_STOP = 5.0


class Sandbox:
    """A running bw-sandbox, which is stopped with this object.

    ``url``, ``token_url``: the base URL and the token URL for a client. ``ca_file``: the
    certificate authority to trust, with ``tls``. ``account_id``, ``client_id``, ``client_secret``,
    ``username``, ``password``: the credentials that the sandbox accepts.

    ``program``: the binary; ``arguments``: further arguments for it, such as
    ``["--session-ttl", "1"]``.
    """

    def __init__(
        self,
        *,
        tls: bool = False,
        account_id: str = "9900000",
        client_id: str = "client",
        client_secret: str = "client-secret",
        username: str = "user",
        password: str = "secret",
        program: Optional[str] = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.account_id = account_id
        self.client_id = client_id
        self.client_secret = client_secret
        self.username = username
        self.password = password
        program = program or find_sandbox()
        # Not a TemporaryDirectory, which the first forked child that exits would delete.
        folder = Path(tempfile.mkdtemp(prefix="bw-sandbox-"))
        self.ca_file: Optional[str] = str(folder / "ca.pem") if tls else None
        command = [
            program,
            *("--listen", "127.0.0.1:0", "--account", account_id),
            *("--client-id", client_id, "--client-secret", client_secret),
            *("--username", username, "--password", password, "--quiet"),
            *(["--tls", "--ca-out", self.ca_file] if self.ca_file else []),
            *arguments,
        ]
        # Files, not pipes: nobody has to read what the sandbox prints later.
        try:
            with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
                )
        except BaseException:
            shutil.rmtree(folder)
            raise
        self.pid = process.pid
        self._finalizer = weakref.finalize(self, _stop, process, folder, os.getpid())
        try:
            self.url = _first_line(process, folder)
        except BaseException:
            self.stop()
            raise
        origin = self.url[: self.url.rindex("/v1")]
        self.token_url = f"{origin}/api/v1/oauth2/token"
        self._control = f"{origin}/_sandbox"
        handlers: List[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self.ca_file:
            context = ssl.create_default_context(cafile=self.ca_file)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def stop(self) -> None:
        """Stops the sandbox; twice is allowed."""
        self._finalizer()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()

    def client(self, **options: Any) -> Client:
        """A client of this sandbox, with further options of ``Client``.

        It uses the client id and secret, unless the options contain a user name or password.
        """
        return Client(**self._options(options))

    def async_client(self, **options: Any) -> AsyncClient:
        """As ``client()``, for an ``AsyncClient``."""
        return AsyncClient(**self._options(options))

    def _options(self, given: Dict[str, Any]) -> Dict[str, Any]:
        options = {"account_id": self.account_id, "base_url": self.url, "ca_file": self.ca_file}
        if {"username", "password"} & given.keys():
            options.update(username=self.username, password=self.password)
        else:
            options.update(client_id=self.client_id, client_secret=self.client_secret)
            options["token_url"] = self.token_url
        return {**options, **given}

    def environment(self) -> Dict[str, str]:
        """The environment variables for a program that uses this sandbox."""
        return {
            "BW_ACCOUNT_ID": self.account_id,
            "BW_CLIENT_ID": self.client_id,
            "BW_CLIENT_SECRET": self.client_secret,
            "BW_BASE_URL": self.url,
            "BW_TOKEN_URL": self.token_url,
        }

    def fault(
        self,
        operation: str,
        kind: str,
        *,
        count: Optional[int] = 1,
        after: int = 0,
        **parameters: Any,
    ) -> None:
        """Simulates a failure of the next calls of an operation (``"*"``: of any operation).

        ``operation``: also ``"token"``, the token request. ``kind`` and its ``parameters``:
        ``"status"`` (``status``, ``headers``, ``body``), ``"delay"`` (``ms``), ``"close_before"``
        (not processed), ``"close_after"`` (processed, then closed without a response),
        ``"truncate"``, ``"garbage"``, ``"dribble"`` (``bytesPerSecond``). ``count``: the number of
        calls that fail, None for all; ``after``: the number of calls that succeed before.
        """
        fault = {"operation": operation, "kind": kind, "count": count, "after": after}
        self.control("POST", "/faults", {**fault, **parameters})

    def clear_faults(self) -> None:
        """Removes all faults."""
        self.control("DELETE", "/faults")

    def requests(self, operation: Optional[str] = None) -> List[Dict[str, Any]]:
        """The requests to the service, in order: operation, method, path, status, body and more.

        ``operation``: only the requests of this operation. Token requests are returned only for
        ``"token"``.
        """
        seen: List[Dict[str, Any]] = self.control("GET", "/requests")
        if operation is None:
            return [request for request in seen if request.get("operation") != "token"]
        return [request for request in seen if request.get("operation") == operation]

    def revoke_tokens(self) -> None:
        """Invalidates all access tokens that were issued."""
        self.control("POST", "/tokens/revoke")

    def state(self) -> Dict[str, Any]:
        """The accounts, sessions, participants and subscriptions that exist."""
        state: Dict[str, Any] = self.control("GET", "/state")
        return state

    def connect(self, participant_id: str) -> Dict[str, Any]:
        """Simulates a device that connects as this participant; returns the webhook's result."""
        return self._device(participant_id, "connect")

    def leave(self, participant_id: str) -> Dict[str, Any]:
        """Simulates that the participant's device leaves; returns the webhook's result."""
        return self._device(participant_id, "leave")

    def disconnect(self, participant_id: str) -> Dict[str, Any]:
        """Simulates that the device loses its connection; returns the webhook's result."""
        return self._device(participant_id, "disconnect")

    def _device(self, participant_id: str, event: str) -> Dict[str, Any]:
        path = f"/participants/{quote(participant_id, safe='')}/{event}"
        delivery: Dict[str, Any] = self.control("POST", path)
        return delivery

    def webhooks(self) -> List[Dict[str, Any]]:
        """The webhooks, with the results of their deliveries."""
        webhooks: List[Dict[str, Any]] = self.control("GET", "/webhooks")
        return webhooks

    def reset(self) -> None:
        """Restores the initial state: no participants, sessions, faults or recorded requests."""
        self.control("POST", "/reset")

    def control(self, method: str, path: str, body: Optional[Dict[str, Any]] = None) -> Any:
        """Any request under ``/_sandbox``; returns the response's JSON, None if it has none."""
        request = urllib.request.Request(
            self._control + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={} if body is None else {"Content-Type": "application/json"},
            method=method,
        )
        with self._opener.open(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None


def find_sandbox() -> str:
    """The path of the sandbox's binary; raises ``FileNotFoundError``, which states what to do."""
    given = os.environ.get(VARIABLE)
    found = shutil.which(given or "bw-sandbox")
    if found is None:
        where = f"{VARIABLE} names {given}, which" if given else "bw-sandbox, which"
        wrong = "is no program" if given else "is not on PATH"
        raise FileNotFoundError(
            f"{where} {wrong}; install bw-sandbox, or set {VARIABLE} to its path"
        )
    return found


def _first_line(process: subprocess.Popen[bytes], folder: Path) -> str:
    """The first line of the sandbox's output: its base URL."""
    limit = time.monotonic() + _START
    while time.monotonic() < limit:
        # Checked before the file is read, so that no output before the end is missed.
        ended = process.poll() is not None
        line, newline, _ = (folder / "stdout").read_text().partition("\n")
        if newline:
            return line.strip()
        if ended:
            said = (folder / "stderr").read_text(errors="replace").strip()
            raise RuntimeError(f"bw-sandbox ended with {process.returncode}: {said}")
        time.sleep(0.01)
    raise RuntimeError(f"bw-sandbox did not print its URL within {_START:g} s")


def _stop(process: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # in a forked child, which does not own the sandbox
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)
