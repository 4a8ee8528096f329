"""Threads: a call releases the GIL, and threads share a client."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

import pytest

from bw_webrtc import CallCancelledError, Client, InvalidHandleError, Outcome
from bw_webrtc.testing import Sandbox
from support import LIMIT, Background, HttpServer, SilentServer


def test_gil_is_released_during_a_call() -> None:
    # The server's Python code can run only while the call does not hold the GIL.
    created = {"participant": {"id": "p-1"}, "token": "t"}
    with HttpServer(lambda _: (200, created)) as server, Client(
        "9", username="u", password="p", base_url=server.url, timeout=5, max_retries=0
    ) as client:
        assert client.create_participant().id == "p-1"


def test_other_threads_run_during_a_call(sandbox: Sandbox) -> None:
    # If the call held the GIL, no thread could close its client, and the call would time out.
    sandbox.fault("createParticipant", "delay", count=None, ms=2 * int(LIMIT) * 1000)
    pause = 0.01
    outcome: Optional[str] = Outcome.NOT_SENT
    while outcome == Outcome.NOT_SENT:
        client = sandbox.client(timeout=LIMIT, max_retries=0)
        waiting = Background(client.create_participant)
        time.sleep(pause)
        assert waiting.running
        client.close()
        with pytest.raises(CallCancelledError) as caught:
            waiting.result()
        # If the client was closed before the call began, repeat with a longer pause.
        outcome = caught.value.outcome
        pause *= 2
        assert pause < LIMIT
    assert outcome == Outcome.UNKNOWN


def test_closing_cancels_a_call() -> None:
    with SilentServer() as server:
        client = server.client(timeout=2 * LIMIT)
        waiting = Background(client.create_participant)
        server.wait_for_request()
        client.close()
        with pytest.raises(CallCancelledError) as caught:
            waiting.result()
        assert caught.value.status == 30
        assert caught.value.outcome == Outcome.UNKNOWN
        with pytest.raises(InvalidHandleError):
            client.create_participant()


def test_with_statement_cancels_calls_of_other_threads() -> None:
    with SilentServer() as server:
        with server.client(timeout=2 * LIMIT) as client:
            calls = [Background(client.create_participant) for _ in range(4)]
            for _ in calls:
                server.wait_for_request()
        for call in calls:
            with pytest.raises(CallCancelledError):
                call.result()


def test_client_is_not_freed_during_a_call() -> None:
    with SilentServer() as server:
        waiting = Background(server.client(timeout=1).create_participant)
        server.wait_for_request()
        # Only the call itself still refers to the client.
        with pytest.raises(TimeoutError):
            waiting.result()


def test_threads_share_a_client(sandbox: Sandbox) -> None:
    with sandbox.client() as client, ThreadPoolExecutor(8) as pool:
        tags = [f"tag {i}" for i in range(200)]
        created = list(pool.map(lambda tag: client.create_participant(tag=tag), tags))
    assert [c.participant.tag for c in created] == tags
    assert len({c.id for c in created}) == len(tags)
    assert len({c.token for c in created}) == len(tags)
    assert len({request["connection"] for request in sandbox.requests()}) <= 8


def test_threads_create_and_close_clients(plain: Sandbox) -> None:
    def work(i: int) -> str:
        client = plain.client()
        try:
            return client.create_participant(tag=str(i)).participant.tag or ""
        finally:
            client.close()
            client.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(80))) == [str(i) for i in range(80)]


def test_threads_close_the_same_client(plain: Sandbox) -> None:
    for _ in range(50):
        client = plain.client()
        gate = threading.Barrier(4)

        def close(client: Client = client, gate: threading.Barrier = gate) -> None:
            gate.wait(LIMIT)
            client.close()

        for closing in [Background(close) for _ in range(4)]:
            closing.result()
        assert client.closed
