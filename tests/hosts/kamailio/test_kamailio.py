"""A real Kamailio whose workers share a client that was made, and used, before they were forked.

To see it fail, let ``generation`` in src/sys/generation.rs return 1.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bw_webrtc.testing import Sandbox
from sip import Caller, Reply

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[2] / "bindings" / "python" / "src"
LIMIT = 30.0


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def kamailio(sandbox: Sandbox, name: str, script: str, *, daemon: bool) -> Iterator[Caller]:
    """A running Kamailio, ended by its own id; somebody to call it."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="bw-kamailio-"))
    pid_file, log = folder / "pid", folder / "log"
    environment = {
        **os.environ,
        "BW_ACCOUNT_ID": sandbox.account_id,
        "BW_USERNAME": sandbox.username,
        "BW_PASSWORD": sandbox.password,
        "BW_BASE_URL": sandbox.url,
        "PYTHONPATH": str(PACKAGE),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if sandbox.ca_file:
        environment["BW_CA_FILE"] = sandbox.ca_file
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
            # The one that was started makes a daemon and ends.
            assert process.wait(LIMIT) == 0, log.read_text()
        alive = caller.ask("OPTIONS", ["alive"], LIMIT)
        assert alive, log.read_text()
        yield caller
    finally:
        caller.close()
        stop(process, pid_file)
        assert "ERROR" not in log.read_text(), log.read_text()
        shutil.rmtree(folder)


def stop(process: subprocess.Popen[bytes], pid_file: Path) -> None:
    """Ends Kamailio, all of it: its processes are a group."""
    main = int(pid_file.read_text()) if pid_file.exists() else process.pid
    try:
        group = os.getpgid(main)
    except ProcessLookupError:
        return
    # Kamailio 5.6 at times waits in its own signal handler for a lock of its own, and never ends.
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
        # Answers come in another order than the requests.
        sandbox.fault("createParticipant", "delay", ms=20, count=None)
        sandbox.fault("createParticipant", "delay", ms=60, count=50, after=40)
        with kamailio(sandbox, "kamailio.cfg", "bandwidth.py", daemon=daemon) as caller:
            calls = ids("call", 200)
            replies = caller.ask("MESSAGE", calls, LIMIT)
            assert len(replies) == len(calls), "some calls were lost"
            assert crossed(replies) == {}
            assert {reply.status for reply in replies.values()} == {200}
        seen = sandbox.requests("createParticipant")
        tags = {request["body"]["tag"] for request in seen}
        assert tags == {"mod_init", *calls}
        # The connection of mod_init is the parent's own; the four workers made one each.
        first = next(r["connection"] for r in seen if r["body"]["tag"] == "mod_init")
        others = {r["connection"] for r in seen if r["body"]["tag"] != "mod_init"}
        assert first not in others
        assert 1 <= len(others) <= 4


def test_asynchronous_workers_keep_options_quick() -> None:
    with Sandbox() as sandbox:
        sandbox.fault("createParticipant", "delay", ms=500, count=None)
        with kamailio(sandbox, "kamailio-async.cfg", "bandwidth_async.py", daemon=False) as caller:
            calls = ids("slow", 40)
            created: dict[str, Reply] = {}
            other = Caller(caller.port)
            thread = threading.Thread(
                target=lambda: created.update(other.ask("MESSAGE", calls, LIMIT, at_once=40))
            )
            thread.start()
            times: list[float] = []
            while thread.is_alive():
                (reply,) = caller.ask("OPTIONS", [f"alive-{len(times)}"], LIMIT).values()
                times.append(reply.seconds)
                time.sleep(0.02)
            thread.join()
            other.close()
            assert len(created) == len(calls), "some calls were lost"
            assert crossed(created) == {}
            median = statistics.median(times)
            assert min(reply.seconds for reply in created.values()) >= 0.5
            assert len(times) > 20
            # Where workers wait for the service, OPTIONS wait for them: 500 ms.
            assert median < 0.05, f"OPTIONS took {median * 1000:.1f} ms (median)"
