"""Threads: the GIL is free during a call, and a client is anybody's."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Optional

import pytest

from bw_webrtc import CallCancelledError, Client, InvalidHandleError, Outcome
from bw_webrtc.testing import Sandbox
from support import LIMIT, Background, SilentServer


def test_the_answer_can_come_from_this_very_interpreter() -> None:
    # The server's Python code can run only while the call leaves the GIL to it: no timing here.
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer = json.dumps({"participant": {"id": "p-1"}, "token": "t"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        with Client(
            "9", username="u", password="p", base_url=url, timeout=5, max_retries=0
        ) as client:
            assert client.create_participant().id == "p-1"
        thread.join(LIMIT)


def test_other_threads_go_on_while_a_call_waits(sandbox: Sandbox) -> None:
    # A call that kept the GIL would let nobody close its client: it would end by its time-out.
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
        # The call may not have begun when it was closed: then once more, after a longer pause.
        outcome = caught.value.outcome
        pause *= 2
        assert pause < LIMIT
    assert outcome == Outcome.UNKNOWN


def test_closing_ends_a_call_in_flight() -> None:
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


def test_leaving_a_with_statement_ends_calls_of_other_threads() -> None:
    with SilentServer() as server:
        with server.client(timeout=2 * LIMIT) as client:
            calls = [Background(client.create_participant) for _ in range(4)]
            for _ in calls:
                server.wait_for_request()
        for call in calls:
            with pytest.raises(CallCancelledError):
                call.result()


def test_a_client_is_not_freed_under_a_call() -> None:
    with SilentServer() as server:
        waiting = Background(server.client(timeout=1).create_participant)
        server.wait_for_request()
        # Nobody but the call itself still refers to the client.
        with pytest.raises(TimeoutError):
            waiting.result()


def test_threads_share_a_client_and_get_their_own_answers(sandbox: Sandbox) -> None:
    with sandbox.client() as client, ThreadPoolExecutor(8) as pool:
        tags = [f"tag {i}" for i in range(200)]
        created = list(pool.map(lambda tag: client.create_participant(tag=tag), tags))
    assert [c.participant.tag for c in created] == tags
    assert len({c.id for c in created}) == len(tags)
    assert len({c.token for c in created}) == len(tags)
    assert len({seen["connection"] for seen in sandbox.requests()}) <= 8


def test_clients_are_made_used_and_closed_by_many_threads(plain: Sandbox) -> None:
    def work(i: int) -> str:
        client = plain.client()
        try:
            return client.create_participant(tag=str(i)).participant.tag or ""
        finally:
            client.close()
            client.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(80))) == [str(i) for i in range(80)]


def test_a_client_closed_by_many_threads_at_once(plain: Sandbox) -> None:
    for _ in range(50):
        client = plain.client()
        gate = threading.Barrier(4)

        def close(client: Client = client, gate: threading.Barrier = gate) -> None:
            gate.wait(LIMIT)
            client.close()

        for closing in [Background(close) for _ in range(4)]:
            closing.result()
        assert client.closed
