"""``bw-sandbox`` from Python, for tests of programs that use this package.

    from bw_webrtc.testing import Sandbox

    with Sandbox() as sandbox, sandbox.client() as client:
        sandbox.fault("createParticipant", "status", status=429, count=1)
        ...
        assert len(sandbox.requests()) == 2

``bw_webrtc.pytest_plugin`` contains fixtures for pytest. The sandbox is a separate program. Its
path is the value of the environment variable BW_SANDBOX. Without it, the program of ``pip install
bw-webrtc[sandbox]`` is used, or ``bw-sandbox`` on PATH.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Type
from urllib.parse import quote

from .async_client import AsyncClient
from .client import Client

# The style of the docstrings, for pdoc.
__docformat__ = "google"

VARIABLE = "BW_SANDBOX"
_START = 20.0
_STOP = 5.0


class Sandbox:
    """A running bw-sandbox.

    ``stop()`` or the end of a ``with`` statement stops it. It is also stopped when this object is
    no longer referenced.

    Args:
        tls: Whether it serves HTTPS.
        account_id: The account that it accepts.
        client_id: The client id that it accepts.
        client_secret: The client secret that it accepts.
        username: The user name that it accepts.
        password: The password that it accepts.
        program: The path of the program.
        arguments: More arguments for the program, such as ``["--session-ttl", "1"]``.

    Attributes:
        url: The base URL for a client.
        endpoints_url: The URL of BRTC Endpoints for a client.
        token_url: The token URL for a client.
        ca_file: The certificate authority to trust; None without ``tls``.
        account_id: The account.
        client_id: The client id.
        client_secret: The client secret.
        username: The user name.
        password: The password.
        pid: The number of the process.
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
        self._initial_secrets = client_secret, password
        program = program or find_sandbox()
        # Not a TemporaryDirectory, which a forked child would delete when it exits.
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
        # Files, not pipes: a full pipe would block the sandbox.
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
        self.endpoints_url = f"{origin}/v2"
        self.token_url = f"{origin}/api/v1/oauth2/token"
        self._control = f"{origin}/_sandbox"
        handlers: List[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self.ca_file:
            context = ssl.create_default_context(cafile=self.ca_file)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def stop(self) -> None:
        """Stops the sandbox. Stopping twice is allowed."""
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
        """Creates a client of this sandbox.

        Args:
            **options: Options of ``Client``. If they contain a user name or password, the client
                uses these instead of the client id and secret.
        """
        return Client(**self._options(options))

    def async_client(self, **options: Any) -> AsyncClient:
        """Creates an ``AsyncClient`` of this sandbox; otherwise as ``client()``."""
        return AsyncClient(**self._options(options))

    def _options(self, given: Dict[str, Any]) -> Dict[str, Any]:
        options = {
            "account_id": self.account_id,
            "base_url": self.url,
            "endpoints_url": self.endpoints_url,
            "ca_file": self.ca_file,
        }
        if {"username", "password"} & given.keys():
            options.update(username=self.username, password=self.password)
        else:
            options.update(client_id=self.client_id, client_secret=self.client_secret)
            options["token_url"] = self.token_url
        return {**options, **given}

    def environment(self) -> Dict[str, str]:
        """Returns the environment variables for a program that uses this sandbox."""
        return {
            "BW_ACCOUNT_ID": self.account_id,
            "BW_CLIENT_ID": self.client_id,
            "BW_CLIENT_SECRET": self.client_secret,
            "BW_BASE_URL": self.url,
            "BW_ENDPOINTS_URL": self.endpoints_url,
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
        """Simulates a failure of the next requests of an operation.

        Args:
            operation: The operation, ``"*"`` for all operations, or ``"token"`` for token requests.
            kind: ``"status"`` (with the parameters ``status``, ``headers``, ``body``), ``"delay"``
                (``ms``), ``"close_before"`` (the request is not processed), ``"close_after"`` (the
                request is processed, and the connection closed without a response),
                ``"truncate"``, ``"garbage"`` or ``"dribble"`` (``bytesPerSecond``).
            count: The number of requests that fail; None for all.
            after: The number of requests that succeed before.
            **parameters: The parameters of the kind.
        """
        fault = {"operation": operation, "kind": kind, "count": count, "after": after}
        self.control("POST", "/faults", {**fault, **parameters})

    def clear_faults(self) -> None:
        """Removes all faults."""
        self.control("DELETE", "/faults")

    def requests(self, operation: Optional[str] = None) -> List[Dict[str, Any]]:
        """Returns the requests that the sandbox received: operation, method, path, status, body.

        Args:
            operation: Only requests of this operation. Token requests are returned only for
                ``"token"``.
        """
        recorded: List[Dict[str, Any]] = self.control("GET", "/requests")
        if operation is None:
            return [request for request in recorded if request.get("operation") != "token"]
        return [request for request in recorded if request.get("operation") == operation]

    def revoke_tokens(self) -> None:
        """Invalidates all access tokens that were issued."""
        self.control("POST", "/tokens/revoke")

    def rotate_secrets(
        self, *, client_secret: Optional[str] = None, password: Optional[str] = None
    ) -> None:
        """Changes the secrets that the sandbox accepts, until ``reset()``.

        The access tokens that were issued remain valid; see ``revoke_tokens()``.

        Args:
            client_secret: The new client secret; None keeps it.
            password: The new password; None keeps it.
        """
        secrets = {"clientSecret": client_secret, "password": password}
        given = {name: secret for name, secret in secrets.items() if secret is not None}
        self.control("POST", "/secret", given)
        self.client_secret = client_secret or self.client_secret
        self.password = password or self.password

    def state(self) -> Dict[str, Any]:
        """Returns what exists: the account, sessions, participants, subscriptions and endpoints."""
        state: Dict[str, Any] = self.control("GET", "/state")
        return state

    def connect(self, participant_id: str) -> Dict[str, Any]:
        """Simulates that a device connects; returns the delivery of the webhook."""
        return self._device(participant_id, "connect")

    def leave(self, participant_id: str) -> Dict[str, Any]:
        """Simulates that the device leaves; returns the delivery of the webhook."""
        return self._device(participant_id, "leave")

    def disconnect(self, participant_id: str) -> Dict[str, Any]:
        """Simulates that the device loses its connection; returns the delivery of the webhook."""
        return self._device(participant_id, "disconnect")

    def _device(self, participant_id: str, event: str) -> Dict[str, Any]:
        path = f"/participants/{quote(participant_id, safe='')}/{event}"
        delivery: Dict[str, Any] = self.control("POST", path)
        return delivery

    def endpoint_action(
        self,
        endpoint_id: str,
        action: str,
        *,
        to: Optional[str] = None,
        to_type: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Simulates an action of an endpoint's device; returns the delivery of the webhook.

        Args:
            endpoint_id: The endpoint.
            action: ``"connect"``, ``"disconnect"``, ``"eligible"``, ``"ineligible"`` or
                ``"outbound"``.
            to: For ``"outbound"``: what the device wants to be connected to.
            to_type: For ``"outbound"``: ``"PHONE_NUMBER"``, ``"CALL_ID"`` or ``"ENDPOINT"``.
        """
        fields = {"to": to, "toType": to_type}
        given = {key: value for key, value in fields.items() if value is not None}
        path = f"/endpoints/{quote(endpoint_id, safe='')}/{quote(action, safe='')}"
        delivery: Dict[str, Any] = self.control("POST", path, given or None)
        return delivery

    def webhooks(self) -> List[Dict[str, Any]]:
        """Returns the webhooks, with the results of their deliveries."""
        webhooks: List[Dict[str, Any]] = self.control("GET", "/webhooks")
        return webhooks

    def reset(self) -> None:
        """Restores the initial state: no participants, sessions, endpoints, faults or requests."""
        self.control("POST", "/reset")
        self.client_secret, self.password = self._initial_secrets

    def control(self, method: str, path: str, body: Optional[Dict[str, Any]] = None) -> Any:
        """Sends any request under ``/_sandbox``.

        Args:
            method: The HTTP method.
            path: The path after ``/_sandbox``.
            body: The JSON document to send.

        Returns:
            The JSON document of the response, or None if the response is empty.

        Raises:
            ValueError: The sandbox rejects the request; the message states why.
        """
        request = urllib.request.Request(
            self._control + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={} if body is None else {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=30) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            reason = error.read().decode("utf-8", "replace")
            with contextlib.suppress(ValueError, KeyError, TypeError):
                reason = json.loads(reason)["error"]
            raise ValueError(f"bw-sandbox rejects {method} {path}: {reason}") from None
        return json.loads(text) if text.strip() else None


def find_sandbox() -> str:
    """Returns the path of the program.

    Raises:
        FileNotFoundError: It is not found; the message states what to do.
    """
    name = os.environ.get(VARIABLE)
    path = shutil.which(name or _packaged() or "bw-sandbox")
    if path is None:
        problem = (
            f"{VARIABLE} is {name}, which is not a program" if name else "bw-sandbox is not on PATH"
        )
        raise FileNotFoundError(
            f"{problem}; install bw-webrtc[sandbox], or set {VARIABLE} to the path of bw-sandbox"
        )
    return path


def _packaged() -> Optional[str]:
    """The program in the package bw-webrtc-sandbox, if it is installed."""
    spec = importlib.util.find_spec("bw_webrtc_sandbox")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    programs = [str(Path(folder) / "bw-sandbox") for folder in folders]
    return next(filter(os.path.isfile, programs), None)


def _first_line(process: subprocess.Popen[bytes], folder: Path) -> str:
    """Waits for the first line of the sandbox's output, its base URL."""
    limit = time.monotonic() + _START
    while time.monotonic() < limit:
        # Checked before the file is read: output that precedes the exit is then complete.
        ended = process.poll() is not None
        line, newline, _ = (folder / "stdout").read_text().partition("\n")
        if newline:
            return line.strip()
        if ended:
            errors = (folder / "stderr").read_text(errors="replace").strip()
            raise RuntimeError(f"bw-sandbox exited with {process.returncode}: {errors}")
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
