"""A client's life: options, closing, forgetting, the environment."""

from __future__ import annotations

import copy
import ctypes
import gc
import json
import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest

from bw_webrtc import (
    Client,
    ConfigError,
    InvalidArgumentError,
    InvalidHandleError,
    LateObjects,
    _config,
    _library,
)
from bw_webrtc.testing import Sandbox
from support import (
    LIMIT,
    PACKAGE,
    ROOT,
    HttpServer,
    SilentServer,
    api_user_environment,
    environment,
    python,
)

INVALID_ARGUMENT = 1
INVALID_HANDLE = 2


def status_of(handle: ctypes.c_void_p) -> int:
    """The status of a call with a handle."""
    library = _library.load()
    out = ctypes.c_char_p()
    status: int = library.function("bw_create_participant")(handle, b"[]", out)
    library.take(out)
    return status


def test_with_statement_closes_the_client(plain: Sandbox) -> None:
    with plain.client() as client:
        handle = client._handle
        before = (client.closed, status_of(handle))
    after = (client.closed, status_of(handle))
    assert before == (False, INVALID_ARGUMENT)
    assert after == (True, INVALID_HANDLE)


def test_closed_client_rejects_calls(plain: Sandbox) -> None:
    client = plain.client()
    client.close()
    client.close()
    with pytest.raises(InvalidHandleError, match="this client is closed") as caught:
        client.create_participant()
    assert caught.value.status == INVALID_HANDLE
    assert caught.value.operation == "createParticipant"
    assert caught.value.outcome == "not_sent"
    assert caught.value.__suppress_context__
    with pytest.raises(InvalidHandleError, match="this client is closed"):
        client.set_credentials("a", "b")
    with pytest.raises(InvalidHandleError, match="this client is closed"), client:
        pass
    assert plain.requests() == []


def test_unreferenced_client_is_freed(plain: Sandbox) -> None:
    client: Optional[Client] = plain.client()
    assert client is not None
    handle = client._handle
    client.create_participant()
    client = None
    gc.collect()
    assert status_of(handle) == INVALID_HANDLE


def test_unreferenced_client_in_a_cycle_is_freed(plain: Sandbox) -> None:
    holder: Dict[str, Any] = {"client": plain.client()}
    holder["self"] = holder
    handle = holder["client"]._handle
    del holder
    gc.collect()
    assert status_of(handle) == INVALID_HANDLE


def test_close_between_check_and_call(plain: Sandbox) -> None:
    client = plain.client()
    _library.load().function("bw_client_free")(client._handle)
    with pytest.raises(InvalidHandleError) as caught:
        client.create_participant()
    assert "client" in caught.value.message
    client.close()


def test_texts_of_the_library_are_freed(plain: Sandbox) -> None:
    def resident() -> int:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    with plain.client() as client:

        def fail(times: int) -> int:
            size = 0
            for _ in range(times):
                with pytest.raises(InvalidArgumentError, match="tags") as caught:
                    client.create_participant(tag="x" * 51, callback_url="tags")
                size += len(str(caught.value.document))
            return size

        fail(500)
        before = resident()
        size = fail(5000)
        grown = resident() - before
    assert size > 1_000_000
    assert grown < size / 2


def test_client_cannot_be_pickled_or_copied(plain: Sandbox) -> None:
    with plain.client() as client:
        for operation in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="neither pickled nor copied"):
                operation(client)


def test_interpreter_exits_with_an_open_client(plain: Sandbox) -> None:
    code = (
        "from bw_webrtc import Client\n"
        f"client = Client('9900000', username='user', password='secret', base_url={plain.url!r})\n"
        "print(client.create_participant().id)\n"
    )
    completed = python(["-X", "dev", "-c", code])
    assert (completed.returncode, completed.stderr) == (0, "")
    assert len(completed.stdout.strip()) == 36


def test_interpreter_exits_during_a_call_of_a_daemon_thread() -> None:
    with SilentServer() as server:
        code = (
            "import socket, sys, threading\n"
            "from bw_webrtc import Client\n"
            "client = Client('9900000', username='user', password='secret', "
            f"base_url={server.url!r}, timeout=60)\n"
            "threading.Thread(target=client.create_participant, daemon=True).start()\n"
            "sys.stdin.readline()\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(PACKAGE / "src")},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        server.wait_for_request()
        _, stderr = process.communicate(b"\n", timeout=LIMIT)
        assert (process.returncode, stderr) == (0, b"")


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Raises KeyboardInterrupt on SIGUSR1."""

    def handle(_signal: int, _frame: Optional[FrameType]) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, handle)
    yield
    signal.signal(signal.SIGUSR1, before)


PARTICIPANT = {"participant": {"id": "p-1", "tag": "lost"}, "token": "t"}
SESSION = {"id": "s-1", "tag": "lost"}
CREATE = {"operation": "createParticipant", "body": {"tag": "lost"}}
INTERRUPTED: List[Tuple[Callable[[Client], Any], int, Any, List[Tuple[str, str]]]] = [
    (Client.create_participant, 200, PARTICIPANT, [("createParticipant", "p-1")]),
    (Client.create_session, 200, SESSION, [("createSession", "s-1")]),
    (lambda client: client.call(CREATE), 200, PARTICIPANT, [("createParticipant", "p-1")]),
    (lambda client: client.get_session("s-1"), 200, SESSION, []),
    (Client.create_participant, 404, {"id": "p-1"}, []),
]


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("moment", ["in the call", "after the call"])
@pytest.mark.parametrize(("work", "status", "body", "kept"), INTERRUPTED)
def test_object_of_an_interrupted_call_is_late(
    interrupts: None,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[Client], Any],
    status: int,
    body: Any,
    kept: List[Tuple[str, str]],
    moment: str,
    closed: bool,
) -> None:
    def respond(_: bytes) -> Tuple[int, Any]:
        if moment == "in the call":
            # Python's handler runs in the main thread, after the library has returned.
            signal.raise_signal(signal.SIGUSR1)
        return status, body

    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGUSR1)

    freed: List[object] = []
    with HttpServer(respond) as server:
        client = Client("9", username="u", password="p", base_url=server.url, max_retries=0)
        library = client._library
        free = library.function("bw_free")
        with monkeypatch.context() as patch:
            patch.setitem(library._functions, "bw_free", lambda text: freed.append(free(text)))
            for name in ("response", "failure"):
                if moment == "after the call":
                    patch.setattr(library, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                work(client)
    assert len(freed) == 1
    if closed:
        client.close()
    assert [(late.operation, late.id) for late in client.take_late().objects] == kept
    assert client.take_late() == LateObjects()
    client.close()


CREDENTIALS: Dict[str, Any] = {"client_id": "i", "client_secret": "s"}
USER = {"username", "password"}
# Every other option with a value that the library accepts, and the key that it becomes.
OPTIONS: Dict[str, Tuple[Any, str, Any]] = {
    "base_url": ("http://127.0.0.1:9/v1", "baseUrl", "http://127.0.0.1:9/v1"),
    "endpoints_url": ("http://127.0.0.1:9/v2", "endpointsUrl", "http://127.0.0.1:9/v2"),
    "token_url": ("http://127.0.0.1:9/token", "tokenUrl", "http://127.0.0.1:9/token"),
    "timeout": (1.5, "timeoutMs", 1500),
    "attempt_timeout": (1, "attemptTimeoutMs", 1000),
    "connect_timeout": (0.0001, "connectTimeoutMs", 1),
    "max_retries": (0, "maxRetries", 0),
    "retry_base": (0.1, "retryBaseMs", 100),
    "retry_max": (2.0004, "retryMaxMs", 2000),
    "max_retry_after": (2.5, "maxRetryAfterMs", 2500),
    "proxy": ("socks5://127.0.0.1:9", "proxy", "socks5://127.0.0.1:9"),
    "roots": ("system", "roots", "system"),
    "ip_family": ("ipv4", "ipFamily", "ipv4"),
    "bind_address": ("127.0.0.1", "bindAddress", "127.0.0.1"),
    "dns_ttl": (0, "dnsTtlMs", 0),
    "max_idle_connections": (1, "maxIdleConnections", 1),
    "idle_timeout": (15, "idleTimeoutMs", 15000),
    "max_response_bytes": (2048, "maxResponseBytes", 2048),
    "user_agent": ("pbx/7", "userAgent", "pbx/7"),
    "allow_insecure_http": (True, "allowInsecureHttp", True),
    "log_format": ("json", "logFormat", "json"),
}
FILES = {"ca_file", "client_cert_file", "client_key_file", "config_file"}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_reaches_the_library(option: str) -> None:
    value, key, sent = OPTIONS[option]
    options = {"account_id": "9", **CREDENTIALS, option: value}
    required = {"accountId": "9", "clientId": "i", "clientSecret": "s"}
    assert json.loads(_config.to_document(options)) == {**required, key: sent}
    url = "http://127.0.0.1:9/v1" if option == "token_url" else None
    more = (
        {"token_url": "http://127.0.0.1:9/token"} if option in {"base_url", "endpoints_url"} else {}
    )
    Client("9", **{"base_url": url, **CREDENTIALS, **more, option: value}).close()


@pytest.mark.parametrize("option", sorted(FILES))
def test_files_are_str_or_path(option: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    # A certificate and its key come together.
    files = {"client_cert_file", "client_key_file"} if "client" in option else {option}
    for value in (missing, str(missing)):
        options: Dict[str, Any] = dict.fromkeys(files, value)
        with pytest.raises(ConfigError, match=r"missing\.pem"):
            Client("9", **CREDENTIALS, **options)


def test_options_match_the_documented_keys() -> None:
    header = (ROOT / "include" / "bw_webrtc.h").read_text()
    before = header[: header.index("bw_status bw_client_new(")]
    comment = before[before.rindex("/**") :]
    documented = set(re.findall(r"`([a-z][a-zA-Z]*)`", comment)) - {"client", "error"}
    assert {option.key for option in _config.OPTIONS} == documented
    tested = {*OPTIONS, *FILES, *_config.REQUIRED, *CREDENTIALS, *USER, "environment"}
    assert tested == {option.name for option in _config.OPTIONS}


def test_all_errors_of_a_configuration_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        Client(
            "",
            client_id="i",
            client_secret="hush",
            base_url="ftp://x",
            timeout=-1,
            roots="mine",
            max_retries=99,
        )
    error = caught.value
    assert (error.status, error.name, error.outcome) == (3, "BW_E_CONFIG", None)
    for part in ("timeout: ", "mine", "max_retries: "):
        assert part in error.message
    assert "hush" not in str(error)


FROM_ENV = "from bw_webrtc import Client\nprint(Client.from_env({}).create_participant().id)"


def test_client_from_the_environment(plain: Sandbox) -> None:
    for variables in (environment(plain), api_user_environment(plain)):
        for options in ("", "timeout=5"):
            code = FROM_ENV.format(options)
            completed = python(["-c", code], variables)
            assert (completed.returncode, completed.stderr) == (0, "")
            assert completed.stdout.strip() in str(plain.state())
    assert len(plain.requests("token")) == 2


@pytest.mark.parametrize("options", ["", "timeout=5"])
@pytest.mark.parametrize(
    ("unset", "names"),
    [
        (["BW_CLIENT_SECRET"], "variable BW_CLIENT_SECRET is not set"),
        (["BW_ACCOUNT_ID", "BW_CLIENT_ID"], "variables BW_ACCOUNT_ID and BW_CLIENT_ID are not set"),
        (
            ["BW_ACCOUNT_ID", "BW_CLIENT_ID", "BW_CLIENT_SECRET"],
            "variables BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET are not set",
        ),
    ],
)
def test_unset_variables_are_named(
    plain: Sandbox, unset: List[str], names: str, options: str
) -> None:
    for empty in (None, ""):
        variables = environment(plain, **dict.fromkeys(unset, empty))
        completed = python(["-c", FROM_ENV.format(options)], variables)
        assert completed.returncode == 1
        assert "ConfigError" in completed.stderr
        assert f"the environment {names}" in completed.stderr
        assert "NULL" not in completed.stderr
        assert plain.client_secret not in completed.stderr


def test_unset_password_of_an_api_user_is_named(plain: Sandbox) -> None:
    for options in ("", "timeout=5"):
        variables = api_user_environment(plain, BW_PASSWORD=None)
        completed = python(["-c", FROM_ENV.format(options)], variables)
        assert "the environment variable BW_PASSWORD is not set" in completed.stderr


def test_from_env_reads_changes_of_os_environ(
    plain: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(plain).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

    class Special(Client):
        pass

    with Special.from_env() as client:
        assert isinstance(client, Special)
        client.create_participant()
    assert len(plain.requests()) == 1


def test_options_override_the_environment(plain: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**plain.environment(), "BW_ACCOUNT_ID": "1"}.items():
        monkeypatch.setenv(name, value)
    with Client.from_env(account_id=plain.account_id, max_retries=0) as client:
        client.create_participant()
    # Credentials of one kind replace those of the other.
    with Client.from_env(
        account_id=plain.account_id, username=plain.username, password=plain.password
    ) as client:
        client.create_participant()
    assert len(plain.requests("token")) == 1
    with pytest.raises(ConfigError, match="variable BW_PASSWORD is not set"):
        Client.from_env(username="u")
    with pytest.raises(ConfigError, match=r"^timeout: must be"):
        Client.from_env(timeout=-1)
    for unknown in ("timout", "environment"):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{unknown}'"):
            Client.from_env(**{unknown: 1})
