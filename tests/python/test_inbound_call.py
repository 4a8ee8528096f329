"""The example of an inbound phone call: webhooks in, ``<Connect>`` out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any, Iterator, Tuple

import pytest

from bw_webrtc.testing import Sandbox
from support import LIMIT, PACKAGE, ROOT, environment

PROGRAM = PACKAGE / "examples" / "inbound_call.py"
BUSY = "<SpeakSentence>All agents are busy"


class Server:
    """The running example."""

    def __init__(self, sandbox: Sandbox) -> None:
        endpoints_url = sandbox.url.replace("/v1", "/v2")
        variables = environment(
            sandbox,
            BW_ENDPOINTS_URL=endpoints_url,
            BW_CA_FILE=sandbox.ca_file,
            PORT="0",
            PUBLIC_URL=None,
            PYTHONPATH=str(PACKAGE / "src"),
        )
        env = {name: value for name, value in os.environ.items() if name not in variables}
        env.update({name: value for name, value in variables.items() if value is not None})
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM)], env=env, stdout=subprocess.PIPE, text=True
        )
        timer = threading.Timer(LIMIT, self._process.kill)
        timer.start()
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        timer.cancel()
        assert self.url, "the example did not start"

    def post(self, path: str, document: Any) -> Tuple[int, str, str]:
        """Sends a request; returns the status, the type and the text of the response."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        request = urllib.request.Request(self.url + path, body, method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=LIMIT) as response:
                return response.status, response.headers["Content-Type"], response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read().decode()

    def call(self) -> str:
        """A phone call arrives; returns the BXML."""
        status, content_type, bxml = self.post("/calls", {"eventType": "initiate"})
        assert (status, content_type) == (200, "application/xml")
        return bxml

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=LIMIT)


@pytest.fixture
def server(sandbox: Sandbox) -> Iterator[Server]:
    server = Server(sandbox)
    yield server
    server.stop()


def act(sandbox: Sandbox, endpoint_id: str, action: str) -> None:
    """A device acts. The example has responded to the webhook."""
    delivery = sandbox.control("POST", f"/endpoints/{endpoint_id}/{action}")
    assert delivery["status"] == 200, delivery


def create(server: Server) -> str:
    status, _, text = server.post("/endpoints", {})
    assert status == 200, text
    created = json.loads(text)
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", created["token"])
    return str(created["endpointId"])


def connects(endpoint_id: str) -> str:
    return f"<Response><Connect><Endpoint>{endpoint_id}</Endpoint></Connect></Response>"


def test_each_call_is_connected_to_another_eligible_endpoint(
    server: Server, sandbox: Sandbox
) -> None:
    alice, bob = create(server), create(server)
    assert BUSY in server.call()
    for endpoint_id in (alice, bob):
        act(sandbox, endpoint_id, "connect")
        assert BUSY in server.call(), "connected, but not eligible"
    act(sandbox, alice, "eligible")
    act(sandbox, bob, "eligible")
    assert connects(alice) in server.call()
    assert connects(bob) in server.call()
    assert BUSY in server.call()
    # Alice's call is in progress, and ends.
    act(sandbox, alice, "ineligible")
    assert BUSY in server.call()
    act(sandbox, alice, "eligible")
    assert connects(alice) in server.call()


def test_endpoint_of_a_disconnected_device_is_deleted(server: Server, sandbox: Sandbox) -> None:
    endpoint_id = create(server)
    for action in ("connect", "eligible", "disconnect"):
        act(sandbox, endpoint_id, action)
    assert BUSY in server.call()
    end = time.monotonic() + LIMIT
    while sandbox.state()["accounts"][0]["endpoints"]:
        assert time.monotonic() < end, "the endpoint was not deleted"
        time.sleep(0.02)


def test_unknown_and_foreign_webhooks_are_accepted_without_effect(
    server: Server, sandbox: Sandbox
) -> None:
    create(server)
    for document in (
        {"event": "aNewEvent", "detail": [1]},
        {"event": "endpointEligible", "timestamp": 1, "endpointId": "e-of-someone-else"},
        {"event": "endpointDisconnected", "timestamp": 1, "endpointId": "e-of-someone-else"},
    ):
        assert server.post("/events", document)[0] == 200, document
    assert server.post("/events", b"not JSON")[0] == 400
    assert BUSY in server.call()
    assert sandbox.requests("deleteEndpoint") == []


def test_page_shows_the_program() -> None:
    page = (ROOT / "docs" / "phone-calls.md").read_text()
    (block,) = re.findall(
        r"<!-- compiled only: from inbound_call\.py[^\n]*\n```python\n(.*?)```", page, re.DOTALL
    )
    for part in block.strip().split("\n\n\n"):
        assert part in PROGRAM.read_text(), part
