"""Failed calls: each raises its class, with the outcome."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any, Dict, Type

import pytest

import bw_webrtc
from bw_webrtc import BwError, Client, Outcome
from bw_webrtc.testing import Sandbox
from support import LIMIT, SilentServer, statuses

HTML = "<html><body>502 Bad Gateway</body></html>"


@pytest.mark.parametrize(
    ("status", "cls", "outcome"),
    [
        (400, bw_webrtc.BadRequestError, Outcome.REJECTED),
        (401, bw_webrtc.UnauthorizedError, Outcome.REJECTED),
        (403, bw_webrtc.ForbiddenError, Outcome.REJECTED),
        (404, bw_webrtc.NotFoundError, Outcome.REJECTED),
        (409, bw_webrtc.ConflictError, Outcome.REJECTED),
        (418, bw_webrtc.HttpStatusError, Outcome.REJECTED),
        (429, bw_webrtc.RateLimitedError, Outcome.REJECTED),
        (500, bw_webrtc.ServerError, Outcome.UNKNOWN),
        (502, bw_webrtc.ServerError, Outcome.UNKNOWN),
        (503, bw_webrtc.ServerError, Outcome.UNKNOWN),
        (504, bw_webrtc.ServerError, Outcome.UNKNOWN),
    ],
)
def test_http_errors(sandbox: Sandbox, status: int, cls: Type[BwError], outcome: str) -> None:
    body = {"error": "no", "requestId": "r-7"}
    sandbox.fault("createParticipant", "status", status=status, body=body)
    # A client id would request another token after a 401.
    user = {"username": sandbox.username}
    with sandbox.client(max_retries=0, **user) as client, pytest.raises(cls) as caught:
        client.create_participant()
    error = caught.value
    assert type(error) is cls
    assert error.http_status == status
    assert error.outcome == outcome
    assert error.operation == "createParticipant"
    assert error.attempts == 1
    assert error.body == body
    assert error.request_id == "r-7"
    assert f"HTTP {status}" in str(error)
    assert len(sandbox.requests()) == 1


NOT_REPRESENTABLE = [
    ('{"id":"x","n":' + "9" * 5000 + "}", "a number is too long"),
    ('{"id":"x","d":' + "[" * 100_000 + "]" * 100_000 + "}", "it is nested too deeply"),
]


@pytest.mark.parametrize(("body", "reason"), NOT_REPRESENTABLE)
def test_response_that_python_cannot_represent(plain: Sandbox, body: str, reason: str) -> None:
    plain.fault("getSession", "status", status=200, body=body, count=None)
    with plain.client() as client, pytest.raises(bw_webrtc.ProtocolError, match=reason) as caught:
        client.get_session("s")
    assert caught.value.operation == "getSession"
    assert caught.value.outcome == Outcome.UNKNOWN

    async def work() -> None:
        async with plain.async_client() as client:
            with pytest.raises(bw_webrtc.ProtocolError, match=reason):
                await asyncio.wait_for(client.get_session("s"), LIMIT)

    asyncio.run(work())


@pytest.mark.parametrize(("body", "reason"), NOT_REPRESENTABLE)
def test_error_body_that_python_cannot_represent(plain: Sandbox, body: str, reason: str) -> None:
    plain.fault("getSession", "status", status=404, body=body, headers={}, count=None)
    with plain.client() as client, pytest.raises(bw_webrtc.NotFoundError) as caught:
        client.get_session("s")
    error = caught.value
    assert (error.status, error.http_status, error.attempts) == (23, 404, 1)
    assert (error.operation, error.outcome) == ("getSession", Outcome.REJECTED)
    assert "HTTP 404" in error.message
    assert reason
    assert isinstance(error.body, str)
    assert json.loads(error.body[:9] + "}") == {"id": "x"}


def test_second_401_is_reported(sandbox: Sandbox) -> None:
    sandbox.fault("createParticipant", "status", status=401, count=None)
    with sandbox.client() as client, pytest.raises(bw_webrtc.UnauthorizedError) as caught:
        client.create_participant()
    assert caught.value.outcome == Outcome.REJECTED
    assert statuses(sandbox) == [401, 401]
    assert len(sandbox.requests("token")) == 2


@pytest.mark.parametrize(
    ("status", "body", "cls", "message"),
    [
        (401, {"error": "invalid_client"}, bw_webrtc.UnauthorizedError, "client_id and client_"),
        (400, {"error": "invalid_client"}, bw_webrtc.UnauthorizedError, "client_id and client_"),
        (200, {"token_type": "Bearer"}, bw_webrtc.ProtocolError, "access_token"),
        (200, "<html>", bw_webrtc.ProtocolError, "JSON"),
        (500, "", bw_webrtc.ServerError, "HTTP 500"),
    ],
)
def test_token_request_errors(
    plain: Sandbox, status: int, body: object, cls: Type[BwError], message: str
) -> None:
    plain.fault("token", "status", status=status, body=body, count=None)
    with plain.client(max_retries=0) as client, pytest.raises(cls, match=message) as caught:
        client.create_participant()
    error = caught.value
    assert error.message.startswith("the token request")
    assert (error.operation, error.outcome) == ("createParticipant", Outcome.NOT_SENT)
    assert error.attempts == 0
    assert plain.requests() == []


@pytest.mark.parametrize(
    ("kind", "parameters", "cls"),
    [
        ("close_before", {}, bw_webrtc.NetworkError),
        ("close_after", {}, bw_webrtc.NetworkError),
        ("truncate", {}, bw_webrtc.TransportError),
        ("garbage", {}, bw_webrtc.ProtocolError),
        ("delay", {"ms": 10_000}, bw_webrtc.CallTimeoutError),
        ("dribble", {"bytesPerSecond": 1}, bw_webrtc.CallTimeoutError),
    ],
)
def test_missing_and_invalid_responses(
    sandbox: Sandbox, kind: str, parameters: Dict[str, Any], cls: Type[BwError]
) -> None:
    sandbox.fault("createParticipant", kind, **parameters)
    with sandbox.client(timeout=3.0) as client, pytest.raises(cls) as caught:
        client.create_participant()
    assert caught.value.outcome == Outcome.UNKNOWN
    assert caught.value.attempts == 1


def test_retry_after(plain: Sandbox) -> None:
    plain.fault("createParticipant", "status", status=429, headers={"Retry-After": "7"})
    with plain.client(timeout=2) as client, pytest.raises(bw_webrtc.RateLimitedError) as caught:
        client.create_participant()
    assert caught.value.retry_after == 7.0
    assert "retry after 7 s" in str(caught.value)


def test_html_response_of_a_gateway(plain: Sandbox) -> None:
    plain.fault("createParticipant", "status", status=502, body=HTML)
    with plain.client() as client, pytest.raises(bw_webrtc.ServerError) as caught:
        client.create_participant()
    assert caught.value.body == HTML
    assert caught.value.outcome == Outcome.UNKNOWN


def test_throttled_request_is_retried(sandbox: Sandbox, client: Client) -> None:
    headers = {"Retry-After": "0"}
    sandbox.fault("createParticipant", "status", status=503, headers=headers, count=2)
    assert client.create_participant().id
    assert statuses(sandbox) == [503, 503, 200]


def test_other_account_is_forbidden(sandbox: Sandbox) -> None:
    with sandbox.client(account_id="1111111") as client, pytest.raises(bw_webrtc.ForbiddenError):
        client.create_participant()


def test_closed_port_is_a_connect_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Client(
        "9900000",
        username="u",
        password="p",
        base_url=f"http://127.0.0.1:{port}/v1",
        max_retries=0,
    ) as client, pytest.raises(bw_webrtc.ConnectError) as caught:
        client.create_participant()
    assert caught.value.outcome == Outcome.NOT_SENT
    assert caught.value.http_status is None


def test_unusable_address_is_a_resolve_error() -> None:
    # Needs no name server, which a test must not ask.
    with Client(
        "9900000",
        username="u",
        password="p",
        base_url="http://127.0.0.1:9/v1",
        ip_family="ipv6",
        max_retries=0,
    ) as client, pytest.raises(bw_webrtc.ResolveError) as caught:
        client.create_participant()
    assert caught.value.outcome == Outcome.NOT_SENT


def test_untrusted_certificate_is_a_tls_error(secure: Sandbox) -> None:
    with secure.client(ca_file=None, max_retries=0) as client, pytest.raises(
        bw_webrtc.TlsError
    ) as caught:
        client.create_participant()
    assert caught.value.outcome == Outcome.NOT_SENT
    assert secure.requests() == []


def test_timeout_is_also_a_builtin_timeout_error() -> None:
    with SilentServer() as server, server.client(timeout=1.0) as client:
        with pytest.raises(TimeoutError) as caught:
            client.create_participant()
        server.wait_for_request()
    assert isinstance(caught.value, bw_webrtc.CallTimeoutError)
    assert caught.value.outcome == Outcome.UNKNOWN
