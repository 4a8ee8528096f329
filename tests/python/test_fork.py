"""Children of os.fork: they use inherited clients, and do not affect the parent."""

from __future__ import annotations

import pytest

from bw_webrtc.testing import Sandbox
from support import LIMIT, python

# Each program has a client with an open connection, and a function that runs a child.
PRELUDE = """
import gc, os, sys, threading, time
from bw_webrtc import Client, InvalidHandleError

client = Client("9900000", username="user", password="secret", base_url=os.environ["URL"],
                ca_file=os.environ.get("CA") or None)
first = client.create_participant(tag="parent").id

def child(work, leave=os._exit):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            sys.stderr.flush()
            os._exit(1)
        leave(0)
        os._exit(2)
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        completed, status = os.waitpid(pid, os.WNOHANG)
        if completed:
            return status
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "timeout"
"""


def run(sandbox: Sandbox, code: str) -> None:
    # From 3.12 on, Python warns if a process with threads forks.
    quiet = ["-W", "ignore:This process:DeprecationWarning"]
    completed = python(
        [*quiet, "-c", PRELUDE + code], {"URL": sandbox.url, "CA": sandbox.ca_file or ""}
    )
    assert (completed.returncode, completed.stderr) == (0, "")


@pytest.mark.parametrize("leave", ["os._exit", "sys.exit"])
@pytest.mark.parametrize(
    "work",
    [
        "pass",
        "client.close()",
        "globals().pop('client'); gc.collect()",
    ],
)
def test_exit_of_a_child_does_not_affect_the_parent(
    sandbox: Sandbox, work: str, leave: str
) -> None:
    run(
        sandbox,
        f"""
def work():
    {work}
# The child exits without returning; in one case, it runs the exit handlers.
def leave(status):
    if {leave!r} == "sys.exit":
        sys.stdout.flush()
        import atexit
        atexit._run_exitfuncs()
    os._exit(status)
assert child(work, leave) == 0
client.create_participant(tag="parent again")
client.close()
""",
    )
    request = sandbox.requests()
    assert [request["body"]["tag"] for request in request] == ["parent", "parent again"]
    # The parent continues with the same connection.
    assert len({request["connection"] for request in request}) == 1


def test_sys_exit_of_a_child_does_not_affect_the_parent(sandbox: Sandbox) -> None:
    run(
        sandbox,
        """
pid = os.fork()
if pid == 0:
    sys.exit(0)
assert os.waitpid(pid, 0)[1] == 0
client.create_participant(tag="parent again")
""",
    )
    assert len({request["connection"] for request in sandbox.requests()}) == 1


def test_closed_client_remains_closed_in_a_child(plain: Sandbox) -> None:
    run(
        plain,
        """
client.close()
def work():
    try:
        client.create_participant()
    except InvalidHandleError:
        return
    raise AssertionError("the call was accepted")
assert child(work) == 0
""",
    )


def test_child_creates_its_own_client(sandbox: Sandbox) -> None:
    run(
        sandbox,
        """
def work():
    with Client("9900000", username="user", password="secret", base_url=os.environ["URL"],
                ca_file=os.environ.get("CA") or None) as own:
        own.create_participant(tag="child")
assert child(work) == 0
client.create_participant(tag="parent again")
""",
    )
    tags = [request["body"]["tag"] for request in sandbox.requests()]
    assert tags == ["parent", "child", "parent again"]


def test_fork_while_other_threads_call(plain: Sandbox) -> None:
    run(
        plain,
        """
stop = threading.Event()
failures = []
def call():
    while not stop.is_set():
        try:
            client.create_participant()
        except Exception as error:
            failures.append(error)
threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(20):
    assert child(client.close) == 0
stop.set()
for thread in threads:
    thread.join(30)
assert not failures, failures
""",
    )


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_closing_an_async_client_in_a_child_does_not_affect_the_parents_loop(
    plain: Sandbox, loop: str
) -> None:
    run(
        plain,
        f"""
import asyncio, uvloop
from bw_webrtc import AsyncClient

def close(client):
    # Without a loop of the child's: aclose() never waits.
    try:
        client.aclose().send(None)
    except StopIteration:
        return
    raise AssertionError("aclose() waits")

async def main():
    async with AsyncClient("9900000", username="user", password="secret",
                           base_url=os.environ["URL"]) as client:
        session = await client.create_session()
        assert child(lambda: close(client)) == 0
        await asyncio.wait_for(client.get_session(session.id), {LIMIT})

{loop}.new_event_loop().run_until_complete(main())
""",
    )
