"""Kamailio with workers that share a client, which was created and used before they were forked.

To see it fail, let ``generation`` in src/sys/generation.rs return 1.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bw_webrtc.testing import Sandbox
from hosts import config
from sip import Caller, Reply

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[2] / "bindings" / "python" / "src"
LIMIT = 30.0
WORKERS = 4
"""How many processes serve requests: ``children`` in kamailio.cfg."""
ASYNC_WORKERS = 8
"""How many calls to the service run at the same time: ``async_workers`` in kamailio-async.cfg."""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def kamailio(
    sandbox: Sandbox,
    name: str = "kamailio.cfg",
    script: str = "bandwidth.py",
    *,
    daemon: bool = False,
    variables: dict[str, str] | None = None,
    logged: str | None = None,
    log: Path | None = None,
) -> Iterator[Caller]:
    """Runs Kamailio, and returns a SIP client for it.

    ``variables`` are added to its environment. ``logged``: an error that its log must contain;
    without it, the log must contain no error. ``log``: the file of the log.
    """
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="bw-kamailio-"))
    pid_file, log = folder / "pid", log or folder / "log"
    environment = {
        **os.environ,
        **sandbox.environment(),
        "BW_ENDPOINTS_URL": sandbox.url.replace("/v1", "/v2"),
        **({"BW_CA_FILE": sandbox.ca_file} if sandbox.ca_file else {}),
        "PYTHONPATH": str(PACKAGE),
        "PYTHONDONTWRITEBYTECODE": "1",
        **(variables or {}),
    }
    command = [
        *("kamailio", "-f", str(HERE / name), "-P", str(pid_file), "-Y", str(folder)),
        *("-A", f"PORT={port}", "-A", f'SCRIPT="{HERE / script}"'),
        *(["-E"] if daemon else ["-DD", "-E"]),
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    caller = Caller(port)
    try:
        if daemon:
            # The started process creates a daemon and ends.
            assert process.wait(LIMIT) == 0, log.read_text()
        alive = caller.ask("OPTIONS", ["alive"], LIMIT)
        assert alive, log.read_text()
        yield caller
    finally:
        caller.close()
        stop(process, pid_file)
        text = log.read_text()
        assert ("ERROR" in text and logged in text) if logged else "ERROR" not in text, text
        shutil.rmtree(folder)


def stop(process: subprocess.Popen[bytes], pid_file: Path) -> None:
    """Stops all processes of Kamailio, which are a process group."""
    main = int(pid_file.read_text()) if pid_file.exists() else process.pid
    try:
        group = os.getpgid(main)
    except ProcessLookupError:
        return
    # Kamailio 5.6 sometimes deadlocks in its own signal handler, and never ends.
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, LIMIT)):
        end = time.monotonic() + patience
        with suppress(ProcessLookupError):
            os.killpg(group, number)
            while time.monotonic() < end:
                process.poll()
                os.killpg(group, 0)
                time.sleep(0.05)
    process.wait(LIMIT)


def ids(name: str, count: int) -> list[str]:
    return [f"{name}-{number}" for number in range(count)]


def crossed(replies: dict[str, Reply]) -> dict[str, Reply]:
    return {call: reply for call, reply in replies.items() if reply.reason != call}


@pytest.mark.parametrize("daemon", [False, True], ids=["foreground", "daemonised"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_every_caller_gets_its_own_participant(tls: bool, daemon: bool) -> None:
    with Sandbox(tls=tls) as sandbox:
        # Responses arrive in another order than the requests.
        sandbox.fault("createParticipant", "delay", ms=20, count=None)
        sandbox.fault("createParticipant", "delay", ms=60, count=50, after=40)
        with kamailio(sandbox, "kamailio.cfg", "bandwidth.py", daemon=daemon) as caller:
            calls = ids("call", 200)
            replies = caller.ask("MESSAGE", calls, LIMIT)
            assert len(replies) == len(calls), "some calls were lost"
            assert crossed(replies) == {}
            assert {reply.status for reply in replies.values()} == {200}
        seen = sandbox.requests("createParticipant")
        assert {request["body"]["tag"] for request in seen} == set(calls)
        # The connection of mod_init belongs to the parent; each of the four workers opened one.
        (first,) = sandbox.requests("getParticipant")
        connections = {request["connection"] for request in seen}
        assert first["connection"] not in connections
        assert 1 <= len(connections) <= 4
        # The workers inherited the access token.
        assert len(sandbox.requests("token")) == 1


@pytest.mark.parametrize("name", ["kamailio.cfg", "kamailio-async.cfg", "kamailio-endpoint.cfg"])
def test_configuration_is_valid_as_copied(name: str) -> None:
    command = ["kamailio", "-c", "-f", str(HERE / name)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "127.0.0.1]:5060" in ended.stdout + ended.stderr


def test_long_call_ids_have_unique_tags() -> None:
    with Sandbox() as sandbox, kamailio(sandbox) as caller:
        calls = ["short", "x" * 50, "x" * 51, "y" * 60 + "@1", "y" * 60 + "@2", "z" * 200]
        replies = caller.ask("MESSAGE", calls, LIMIT)
        assert {reply.status for reply in replies.values()} == {200}, replies
        created = sandbox.requests("createParticipant")
        tags = [request["body"]["tag"] for request in created]
        assert len(set(tags)) == len(calls)
        assert max(map(len, tags)) == 50
        # The reason of the reply is the tag of the participant.
        for call in calls:
            tag = replies[call].reason
            assert (tag == call) if len(call) <= 50 else tag.startswith(call[:17] + "~"), tag


def test_every_worker_reads_a_new_secret_without_a_restart(tmp_path: Path) -> None:
    settings = tmp_path / "bandwidth.json"
    with Sandbox() as sandbox:
        settings.write_text(config(sandbox))
        variables = {**dict.fromkeys(sandbox.environment(), ""), "BW_CONFIG_FILE": str(settings)}
        with kamailio(sandbox, variables=variables) as caller:
            for secret in ("second", "third"):
                replies = caller.ask("MESSAGE", ids(f"before-{secret}", 40), LIMIT)
                assert {reply.status for reply in replies.values()} == {200}, replies
                sandbox.rotate_secrets(client_secret=secret)
                sandbox.control("POST", "/tokens/revoke")
                new = tmp_path / "new"
                new.write_text(config(sandbox, clientSecret=secret))
                new.replace(settings)
            replies = caller.ask("MESSAGE", ids("after", 40), LIMIT)
            assert {reply.status for reply in replies.values()} == {200}, replies


def test_unsafe_settings_are_reported_once_and_read_when_they_are_safe(tmp_path: Path) -> None:
    settings, log = tmp_path / "bandwidth.json", tmp_path / "log"
    problem = f"every user can write the file; run: chmod o-w '{settings}'"
    with Sandbox() as sandbox:
        settings.write_text(config(sandbox))
        settings.chmod(0o600)
        variables = {**dict.fromkeys(sandbox.environment(), ""), "BW_CONFIG_FILE": str(settings)}
        with kamailio(sandbox, variables=variables, logged=problem, log=log) as caller:

            def statuses(name: str) -> set[int]:
                replies = caller.ask("MESSAGE", ids(name, 40), LIMIT)
                assert len(replies) == 40, "some calls were lost"
                return {reply.status for reply in replies.values()}

            assert statuses("before") == {200}
            assert "bandwidth:" not in log.read_text()
            settings.chmod(0o646)
            # A worker reports the change before its next call, and continues.
            assert statuses("unsafe") == {200}
            assert 1 <= log.read_text().count(problem) <= WORKERS
            assert statuses("again") == {200}
            assert log.read_text().count(problem) <= WORKERS
            # A new secret, which is not read yet.
            sandbox.rotate_secrets(client_secret="second")
            sandbox.control("POST", "/tokens/revoke")
            settings.write_text(config(sandbox, clientSecret="second"))
            assert statuses("rotated") == {503}
            settings.chmod(0o600)
            assert statuses("safe") == {200}


def test_it_starts_while_the_service_is_down() -> None:
    with Sandbox() as sandbox:
        for operation in ("token", "*"):
            sandbox.fault(operation, "close_before", count=None)
        with kamailio(sandbox, logged="the token request failed") as caller:
            (reply,) = caller.ask("MESSAGE", ["early"], LIMIT).values()
            assert (reply.status, reply.reason) == (503, "BW_E_NETWORK")
            sandbox.clear_faults()
            (reply,) = caller.ask("MESSAGE", ["later"], LIMIT).values()
            assert (reply.status, reply.reason) == (200, "later")


def test_it_starts_without_credentials() -> None:
    variables = {"BW_CLIENT_SECRET": "", "BW_ACCOUNT_ID": ""}
    names = "BW_ACCOUNT_ID and BW_CLIENT_SECRET are not set"
    with Sandbox() as sandbox, kamailio(sandbox, variables=variables, logged=names) as caller:
        (reply,) = caller.ask("MESSAGE", ["call"], LIMIT).values()
        assert (reply.status, reply.reason) == (503, "BW_E_CONFIG")


def test_it_creates_the_client_later_if_the_start_was_too_early(tmp_path: Path) -> None:
    with Sandbox(tls=True) as sandbox:
        late = tmp_path / "ca.pem"
        variables = {"BW_CA_FILE": str(late)}
        with kamailio(sandbox, variables=variables, logged="ca_file") as caller:
            (reply,) = caller.ask("MESSAGE", ["early"], LIMIT).values()
            assert (reply.status, reply.reason) == (503, "BW_E_CONFIG")
            shutil.copy(str(sandbox.ca_file), late)
            (reply,) = caller.ask("MESSAGE", ["later"], LIMIT).values()
            assert (reply.status, reply.reason) == (200, "later")


def test_asynchronous_workers_keep_options_quick() -> None:
    with Sandbox() as sandbox:
        # The calls with which all asynchronous workers are busy.
        sandbox.fault("createParticipant", "delay", ms=2500, count=ASYNC_WORKERS)
        with kamailio(sandbox, "kamailio-async.cfg", "bandwidth_async.py") as caller:
            calls = ids("slow", 40)
            created: dict[str, Reply] = {}
            other = Caller(caller.port)
            thread = threading.Thread(
                target=lambda: created.update(other.ask("MESSAGE", calls, LIMIT, at_once=40))
            )
            start = time.monotonic()
            thread.start()
            while len(sandbox.requests("createParticipant")) < WORKERS:
                assert time.monotonic() < start + LIMIT, "no request arrived"
                time.sleep(0.01)
            alive = ids("alive", 20)
            assert len(caller.ask("OPTIONS", alive, LIMIT, at_once=1)) == len(alive)
            answered = time.monotonic() - start
            thread.join()
            other.close()
            assert len(created) == len(calls), "some calls were lost"
            assert crossed(created) == {}
            # If the workers waited for the service, they would answer OPTIONS after these.
            assert answered < min(reply.seconds for reply in created.values())


def test_every_caller_gets_its_own_endpoint_until_bye() -> None:
    with Sandbox() as sandbox:
        sandbox.fault("createEndpoint", "delay", ms=20, count=None)
        with kamailio(sandbox, "kamailio-endpoint.cfg", "bandwidth_endpoint.py") as caller:
            calls = ids("call", 60)
            replies = caller.ask("MESSAGE", calls, LIMIT)
            assert len(replies) == len(calls), "some calls were lost"
            assert {reply.status for reply in replies.values()} == {200}
            (account,) = sandbox.state()["accounts"]
            tags = {endpoint["endpointId"]: endpoint["tag"] for endpoint in account["endpoints"]}
            assert {tags[reply.reason] for reply in replies.values()} == set(calls)
            assert all(tags[reply.reason] == call for call, reply in replies.items())
            # Another request of a call does not create another endpoint.
            again = caller.ask("INFO", calls[:5], LIMIT)
            assert {call: reply.reason for call, reply in again.items()} == {
                call: replies[call].reason for call in calls[:5]
            }
            ended = caller.ask("BYE", [*calls, "unknown"], LIMIT)
            assert ended.pop("unknown").status == 481
            assert {reply.status for reply in ended.values()} == {200}
        assert sandbox.state()["accounts"][0]["endpoints"] == []
        assert len(sandbox.requests("createEndpoint")) == len(calls)
        assert sandbox.requests("createParticipant") == []


def test_too_many_endpoints_are_reported_to_the_caller() -> None:
    with Sandbox(arguments=["--max-endpoints", "1"]) as sandbox:
        name, script = "kamailio-endpoint.cfg", "bandwidth_endpoint.py"
        with kamailio(sandbox, name, script, logged="endpoints") as caller:
            first, second = (caller.ask("MESSAGE", [call], LIMIT)[call] for call in ("1", "2"))
        assert (first.status, second.status, second.reason) == (200, 503, "BW_E_RATE_LIMITED")
