"""Signals during blocking calls: real signals, to this process and to others."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import Any, Callable, Iterator, List, Optional, Tuple

import pytest

import bw_webrtc
from bw_webrtc import Client, Outcome
from bw_webrtc.testing import Sandbox
from support import LIMIT, PACKAGE, Background, HttpServer, SilentServer

SOON = 0.2
"""How soon a signal takes effect, in seconds."""
SLACK = 4.8
"""What a busy machine may add to it. If nothing ends a call of these tests, it takes ``LIMIT``."""


class SignalError(Exception):
    """The exception of a signal handler of these tests."""


class Handler:
    """A handler of SIGUSR1, which runs ``work`` and records when."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self.times: List[float] = []

    def __call__(self, _signal: int, _frame: Optional[FrameType]) -> None:
        self.times.append(time.monotonic())
        self._work()


def fail() -> None:
    raise SignalError


@contextlib.contextmanager
def handling(work: Callable[[], object]) -> Iterator[Handler]:
    """Handles SIGUSR1."""
    handler = Handler(work)
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        yield handler
    finally:
        signal.signal(signal.SIGUSR1, before)


def send(after: Callable[[], object]) -> Background[float]:
    """Sends SIGUSR1 to this process after a call that waits, and returns when."""

    def work() -> float:
        after()
        at = time.monotonic()
        os.kill(os.getpid(), signal.SIGUSR1)
        return at

    return Background(work)


def check_soon(sent: float) -> None:
    assert time.monotonic() - sent < SOON + SLACK


def cancelled(error: BaseException) -> bw_webrtc.CallCancelledError:
    """The failure of the call that an exception interrupted."""
    assert isinstance(error.__cause__, bw_webrtc.CallCancelledError)
    return error.__cause__


PROGRAM = """
import signal, sys
from bw_webrtc import CallCancelledError, Client
# Python ignores SIGINT if its parent does, as a shell's background job does.
signal.signal(signal.SIGINT, signal.default_int_handler)
client = Client("9900000", username="u", password="p", base_url=sys.argv[1], timeout=60)
try:
    client.create_participant()
except KeyboardInterrupt as error:
    assert isinstance(error.__cause__, CallCancelledError)
    print(error.__cause__.operation, error.__cause__.outcome, flush=True)
    raise
"""


def test_ctrl_c_ends_a_program_that_waits_for_a_response() -> None:
    with SilentServer() as server, subprocess.Popen(
        [sys.executable, "-c", PROGRAM, server.url],
        env={**os.environ, "PYTHONPATH": str(PACKAGE / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        server.wait_for_request()
        sent = time.monotonic()
        program.send_signal(signal.SIGINT)
        assert program.stdout is not None
        assert program.stdout.readline() == "createParticipant unknown\n"
        check_soon(sent)
        _, errors = program.communicate(timeout=LIMIT)
        assert program.returncode == -signal.SIGINT
    assert errors.endswith("KeyboardInterrupt\n")
    assert "Exception ignored" not in errors


@pytest.mark.parametrize("timeout", [None, LIMIT])
def test_exception_of_a_handler_ends_the_call(timeout: Optional[float]) -> None:
    with SilentServer() as server, server.client() as client, handling(fail) as handler:
        for count in (1, 2):
            sender = send(server.wait_for_request)
            with pytest.raises(SignalError) as caught:
                client.create_participant(timeout=timeout)
            check_soon(sender.result())
            error = cancelled(caught.value)
            assert (error.operation, error.outcome) == ("createParticipant", Outcome.UNKNOWN)
            assert error.attempts == 1
            assert len(handler.times) == count


def test_two_signals_at_once_do_not_affect_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    ignored: List[object] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)

    def fail_first(_signal: int, _frame: Optional[FrameType]) -> None:
        raise SignalError("first")

    before = signal.signal(signal.SIGUSR2, fail_first)
    try:
        with SilentServer() as server, server.client() as client, handling(fail):
            for _ in range(3):

                def both() -> None:
                    server.wait_for_request()
                    os.kill(os.getpid(), signal.SIGUSR2)
                    os.kill(os.getpid(), signal.SIGUSR1)

                senders = Background(both)
                with pytest.raises(SignalError):
                    client.create_participant()
                senders.result()
            sender = send(server.wait_for_request)
            with pytest.raises(SignalError) as caught:
                client.create_participant()
            sender.result()
            assert cancelled(caught.value).outcome == Outcome.UNKNOWN
        with HttpServer(lambda _: (200, {"id": "s-1"})) as http, client_of(http.url) as client:
            assert client.create_session().id == "s-1"
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert not ignored


def test_handler_runs_during_the_call_and_does_not_end_it() -> None:
    handled = threading.Event()

    def respond(_: bytes) -> Tuple[int, Any]:
        return (200, {"id": "s-1"}) if handled.wait(LIMIT) else (500, {})

    with HttpServer(respond) as server, client_of(server.url) as client:
        with handling(handled.set) as handler:
            sender = send(lambda: wait_until(lambda: client.stats()["inFlight"] == 1))
            assert client.create_session().id == "s-1"
            sender.result()
        assert client.stats()["attempts"] == len(handler.times) == 1


def client_of(url: str, **options: Any) -> Client:
    return Client("9", username="u", password="p", base_url=url, timeout=2 * LIMIT, **options)


def wait_until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


def test_alarm_is_a_limit_for_several_calls(plain: Sandbox) -> None:
    def ring(_signal: int, _frame: Optional[FrameType]) -> None:
        raise TimeoutError("the time for all calls is over")

    before = signal.signal(signal.SIGALRM, ring)
    plain.fault("getSession", "delay", ms=int(LIMIT * 1000))
    try:
        with plain.client(timeout=LIMIT) as client:
            session = client.create_session()
            signal.setitimer(signal.ITIMER_REAL, 1.0)
            with pytest.raises(TimeoutError, match="all calls") as caught:
                client.get_session(session.id)
            assert cancelled(caught.value).outcome == Outcome.UNKNOWN
            # The client works as before.
            assert client.create_participant().id
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_call_on_another_thread_continues() -> None:
    with SilentServer() as server, server.client(timeout=1.0) as client:
        with handling(fail) as handler:
            call = Background(client.create_session)
            server.wait_for_request()
            waiting = threading.Event()

            def wait() -> None:
                waiting.set()
                # A signal just before `sleep` does not shorten it.
                wait_until(lambda: False)

            sender = send(waiting.wait)
            with pytest.raises(SignalError):
                wait()
            sender.result()
            with pytest.raises(bw_webrtc.CallTimeoutError):
                call.result()
        assert len(handler.times) == 1


def test_pause_before_a_retry_is_interrupted(plain: Sandbox) -> None:
    headers = {"Retry-After": "20"}
    plain.fault("createParticipant", "status", status=429, headers=headers, count=None)
    with handling(fail), plain.client(timeout=LIMIT, max_retry_after=LIMIT) as client:
        sender = send(lambda: wait_until(lambda: bool(plain.requests("createParticipant"))))
        with pytest.raises(SignalError) as caught:
            client.create_participant()
        check_soon(sender.result())
    error = cancelled(caught.value)
    assert (error.outcome, error.attempts) == (Outcome.REJECTED, 1)


def test_connection_attempt_is_interrupted() -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        address = listener.getsockname()
        # Its backlog is full when a connection is not accepted.
        for _ in range(64):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.3)
            try:
                waiting.connect(address)
            except TimeoutError:
                break
        else:
            raise AssertionError("the backlog is not full")
        url = f"http://127.0.0.1:{address[1]}/v1"
        client = stack.enter_context(client_of(url, connect_timeout=LIMIT))
        stack.enter_context(handling(fail))
        sender = send(lambda: wait_until(lambda: client.stats()["inFlight"] == 1))
        with pytest.raises(SignalError) as caught:
            client.create_participant()
        check_soon(sender.result())
    error = cancelled(caught.value)
    assert error.outcome == Outcome.NOT_SENT
    assert "connecting" in error.message


def test_token_request_is_interrupted() -> None:
    with SilentServer() as server, handling(fail):
        url = server.url.replace("/v1", "/token")
        api = {"client_id": "c", "client_secret": "s", "token_url": url}
        with server.client(**api) as client:
            sender = send(server.wait_for_request)
            with pytest.raises(SignalError) as caught:
                client.create_participant()
            check_soon(sender.result())
            assert cancelled(caught.value).outcome == Outcome.NOT_SENT
            # Another thread requests the token; this one waits for it.
            other = Background(client.create_session)
            server.wait_for_request()
            sender = send(lambda: wait_until(lambda: client.stats()["inFlight"] == 2))
            with pytest.raises(SignalError) as caught:
                client.create_participant()
            check_soon(sender.result())
            assert cancelled(caught.value).outcome == Outcome.NOT_SENT
            assert other.running
            client.close()
            with pytest.raises(bw_webrtc.CallCancelledError):
                other.result()


def test_handler_can_make_calls_and_close_the_client(plain: Sandbox) -> None:
    plain.fault("getSession", "delay", ms=int(LIMIT * 1000))
    created: List[Any] = []
    with plain.client(timeout=LIMIT) as client:

        def work() -> None:
            created.append(client.create_participant())
            client.close()

        with handling(work):
            sender = send(lambda: wait_until(lambda: bool(client.stats()["inFlight"])))
            with pytest.raises(bw_webrtc.CallCancelledError) as caught:
                client.get_session("s")
            check_soon(sender.result())
    assert caught.value.operation == "getSession"
    assert caught.value.__cause__ is None
    assert created[0].id


def test_handler_makes_a_call_during_the_token_request(plain: Sandbox) -> None:
    plain.fault("token", "delay", ms=1500)
    created: List[Any] = []
    with plain.client(timeout=LIMIT) as client, handling(
        lambda: created.append(client.create_participant())
    ):
        send(lambda: wait_until(lambda: bool(client.stats()["tokenRequests"])))
        assert client.create_session().id
    assert created[0].id


def test_child_that_a_handler_forks_does_not_continue_the_call() -> None:
    handled = threading.Event()
    requests: List[bytes] = []
    children: List[int] = []

    def respond(body: bytes) -> Tuple[int, Any]:
        requests.append(body)
        handled.wait(LIMIT)
        return 200, {"id": "s-1", "participant": {"id": "p-1"}, "token": "t"}

    def work() -> None:
        children.append(os.fork())
        handled.set()

    with HttpServer(respond) as server, handling(work), client_of(server.url) as client:
        send(lambda: wait_until(lambda: bool(requests)))
        try:
            session = client.create_session()
        except bw_webrtc.CallCancelledError as error:
            if children != [0]:
                raise
            is_right = error.outcome == Outcome.UNKNOWN and client.create_participant().id
            os._exit(0 if is_right else 1)
        finally:
            if children == [0]:
                os._exit(2)
        _, status = os.waitpid(children[0], 0)
        assert (status, session.id, len(requests)) == (0, "s-1", 2)


def test_cause_of_the_handlers_exception_is_kept() -> None:
    reason = ValueError("the handler's own")

    def work() -> None:
        raise SignalError from reason

    with SilentServer() as server, server.client() as client, handling(work):
        send(server.wait_for_request)
        with pytest.raises(SignalError) as caught:
            client.create_participant()
    assert cancelled(caught.value).__cause__ is reason


def test_client_of_a_thread_is_interrupted_on_the_main_thread() -> None:
    with SilentServer() as server:
        client = Background(server.client).result()
        with client, handling(fail):
            send(server.wait_for_request)
            with pytest.raises(SignalError):
                client.create_participant()


def test_two_signals_in_one_call() -> None:
    with SilentServer() as server, server.client() as client:
        first = threading.Event()

        def work() -> None:
            if first.is_set():
                raise SignalError
            first.set()

        with handling(work) as handler:

            def twice() -> None:
                server.wait_for_request()
                os.kill(os.getpid(), signal.SIGUSR1)
                wait_until(first.is_set)

            sender = send(twice)
            with pytest.raises(SignalError):
                client.create_participant()
            check_soon(sender.result())
        assert len(handler.times) == 2


def test_callback_is_removed_when_python_exits() -> None:
    program = """
import atexit, os, signal, sys, threading
from bw_webrtc import BwError, Client
client = Client("9900000", username="u", password="p", base_url=sys.argv[1], timeout=0.4)
def call():
    try:
        client.create_participant()
    except BwError as error:
        print(error.name, flush=True)
# Runs after the exit function of the package, which is registered later.
atexit.register(call)
call()
"""
    with SilentServer() as server:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-c", program, server.url],
            env={**os.environ, "PYTHONPATH": str(PACKAGE / "src")},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "BW_E_TIMEOUT\nBW_E_TIMEOUT\n"
