"""``bw-sandbox`` from Python, for tests of programs that use this package.

    from bw_webrtc.testing import Sandbox

    with Sandbox() as sandbox, sandbox.client() as client:
        sandbox.fault("createParticipant", "status", status=429, count=1)
        ...
        assert len(sandbox.requests()) == 2

For pytest there are fixtures in ``bw_webrtc.pytest_plugin``. The sandbox is a program of its own:
the one that the environment variable BW_SANDBOX names, else ``bw-sandbox`` on PATH.
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
    """A running bw-sandbox, which ends with this object.

    ``url``: the base URL to give to a client. ``ca_file``: the certificate authority to trust,
    with ``tls``. ``account_id``, ``username``, ``password``: what it accepts.

    ``program``: the binary; ``arguments``: further ones for it, such as ``["--session-ttl", "1"]``.
    """

    def __init__(
        self,
        *,
        tls: bool = False,
        account_id: str = "9900000",
        username: str = "user",
        password: str = "secret",
        program: Optional[str] = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.account_id = account_id
        self.username = username
        self.password = password
        program = program or find_sandbox()
        # Not a TemporaryDirectory, which would go with the first forked child that ends.
        folder = Path(tempfile.mkdtemp(prefix="bw-sandbox-"))
        self.ca_file: Optional[str] = str(folder / "ca.pem") if tls else None
        command = [
            program,
            *("--listen", "127.0.0.1:0", "--account", account_id),
            *("--username", username, "--password", password, "--quiet"),
            *(["--tls", "--ca-out", self.ca_file] if self.ca_file else []),
            *arguments,
        ]
        # Files, not pipes: whatever it prints later, nobody has to read it on.
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
        self._control = self.url[: self.url.rindex("/v1")] + "/_sandbox"
        handlers: List[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self.ca_file:
            context = ssl.create_default_context(cafile=self.ca_file)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def stop(self) -> None:
        """Stops it; twice is fine."""
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
        """A client of this sandbox, with further options of ``Client``."""
        options.setdefault("base_url", self.url)
        if self.ca_file:
            options.setdefault("ca_file", self.ca_file)
        return Client(self.account_id, self.username, self.password, **options)

    def async_client(self, **options: Any) -> AsyncClient:
        """An ``AsyncClient`` of this sandbox, with further options of it."""
        options.setdefault("base_url", self.url)
        if self.ca_file:
            options.setdefault("ca_file", self.ca_file)
        return AsyncClient(self.account_id, self.username, self.password, **options)

    def fault(
        self,
        operation: str,
        kind: str,
        *,
        count: Optional[int] = 1,
        after: int = 0,
        **parameters: Any,
    ) -> None:
        """Makes the next calls of an operation (``"*"``: of any) go wrong.

        ``kind`` and its ``parameters``: ``"status"`` (``status``, ``headers``, ``body``),
        ``"delay"`` (``ms``), ``"close_before"`` (nothing done), ``"close_after"`` (done, then
        closed unanswered), ``"truncate"``, ``"garbage"``, ``"dribble"`` (``bytesPerSecond``).
        ``count``: how many calls, None for all to come; ``after``: how many stay unharmed first.
        """
        fault = {"operation": operation, "kind": kind, "count": count, "after": after}
        self.control("POST", "/faults", {**fault, **parameters})

    def clear_faults(self) -> None:
        """Ends all faults."""
        self.control("DELETE", "/faults")

    def requests(self, operation: Optional[str] = None) -> List[Dict[str, Any]]:
        """The requests that were seen, in order: operation, method, path, status, body and more."""
        seen: List[Dict[str, Any]] = self.control("GET", "/requests")
        return [r for r in seen if operation is None or r.get("operation") == operation]

    def state(self) -> Dict[str, Any]:
        """The accounts, sessions, participants and subscriptions that exist."""
        state: Dict[str, Any] = self.control("GET", "/state")
        return state

    def connect(self, participant_id: str) -> Dict[str, Any]:
        """A device connects as this participant; gives what became of the webhook."""
        return self._device(participant_id, "connect")

    def leave(self, participant_id: str) -> Dict[str, Any]:
        """The participant's device leaves; gives what became of the webhook."""
        return self._device(participant_id, "leave")

    def disconnect(self, participant_id: str) -> Dict[str, Any]:
        """The participant's device loses its connection; gives what became of the webhook."""
        return self._device(participant_id, "disconnect")

    def _device(self, participant_id: str, event: str) -> Dict[str, Any]:
        path = f"/participants/{quote(participant_id, safe='')}/{event}"
        delivery: Dict[str, Any] = self.control("POST", path)
        return delivery

    def webhooks(self) -> List[Dict[str, Any]]:
        """The webhooks that were delivered, or not, with the result."""
        webhooks: List[Dict[str, Any]] = self.control("GET", "/webhooks")
        return webhooks

    def reset(self) -> None:
        """Makes it as new: no participants, no sessions, no faults, no requests seen."""
        self.control("POST", "/reset")

    def control(self, method: str, path: str, body: Optional[Dict[str, Any]] = None) -> Any:
        """Any request under ``/_sandbox``; gives the answer's JSON, None if it has none."""
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
    """The path of the sandbox's binary; raises ``FileNotFoundError``, telling what to do."""
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
    """What the sandbox says first: its base URL."""
    limit = time.monotonic() + _START
    while time.monotonic() < limit:
        # Asked before the file is read: what was printed before the end is not missed.
        ended = process.poll() is not None
        line, newline, _ = (folder / "stdout").read_text().partition("\n")
        if newline:
            return line.strip()
        if ended:
            said = (folder / "stderr").read_text(errors="replace").strip()
            raise RuntimeError(f"bw-sandbox ended with {process.returncode}: {said}")
        time.sleep(0.01)
    raise RuntimeError(f"bw-sandbox did not tell its URL within {_START:g} s")


def _stop(process: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # in a forked child, to whom it does not belong
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)
