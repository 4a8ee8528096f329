"""Passwords and tokens do not appear in repr, messages or log lines."""

from __future__ import annotations

import asyncio
import base64
import traceback
from typing import Any, Dict, List

import pytest

from bw_webrtc import BwError, Client, UnauthorizedError
from bw_webrtc.testing import Sandbox
from support import SilentServer

SECRET = "hush-8c1f\u00e9"


def test_repr_contains_no_token(client: Client) -> None:
    created = client.create_participant(tag="seen")
    for shown in (repr(created), str(created), f"{created}", repr([created])):
        assert "seen" in shown
        assert created.token not in shown
        assert created.token.rsplit(".", 1)[1] not in shown


PAIRS = (("client_id", "client_secret"), ("username", "password"))


@pytest.mark.parametrize(("identifier", "secret"), PAIRS)
def test_repr_of_a_client_contains_no_credentials(
    plain: Sandbox, identifier: str, secret: str
) -> None:
    options = {identifier: "some-user", secret: SECRET}
    with plain.client(**options) as client:
        shown = repr(client) + str(client) + repr(vars(client))
    assert SECRET not in shown
    assert "some-user" not in shown
    host = plain.url.split("/")[2]
    assert repr(client) == f"<bw_webrtc.Client of account 9900000 at {host}, closed>"
    other = plain.async_client(**options)
    assert repr(other) == f"<bw_webrtc.AsyncClient of account 9900000 at {host}, open>"
    asyncio.run(other.aclose())
    other_options: Dict[str, Any] = {identifier: "u", secret: SECRET}
    with Client("7", **other_options) as real:
        assert repr(real) == "<bw_webrtc.Client of account 7 at api.webrtc.bandwidth.com, open>"


def test_repr_of_a_client_from_the_environment(
    plain: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in plain.environment().items():
        monkeypatch.setenv(name, value)
    host = plain.url.split("/")[2]
    for options, account in (({}, "9900000"), ({"account_id": "7"}, "7")):
        with Client.from_env(**options) as client:
            assert repr(client) == f"<bw_webrtc.Client of account {account} at {host}, open>"
    assert "not created" in repr(Client.__new__(Client))


@pytest.mark.parametrize(("identifier", "key"), PAIRS)
def test_errors_contain_no_secret(sandbox: Sandbox, identifier: str, key: str) -> None:
    failures: List[BwError] = []
    name = getattr(sandbox, identifier)
    with Sandbox(tls=sandbox.ca_file is not None, **{key: SECRET}) as strict, strict.client(
        **{identifier: name, key: SECRET, "timeout": 1}
    ) as client:
        for operation in ("createParticipant", "token"):
            for kind in ("close_before", "close_after", "truncate", "garbage"):
                strict.fault(operation, kind, count=3)
                strict.revoke_tokens()
                if operation == "token" and identifier == "username":
                    continue
                with pytest.raises(BwError) as caught:
                    client.create_participant()
                failures.append(caught.value)
                strict.clear_faults()
        with pytest.raises(BwError) as caught:
            client.create_participant(tag="x" * 51)
        failures.append(caught.value)
        with pytest.raises(BwError) as caught:
            client.set_credentials("a\0", SECRET)
        failures.append(caught.value)
    with sandbox.client(**{identifier: name, key: SECRET}) as client:
        with pytest.raises(UnauthorizedError) as caught:
            client.create_participant()
        failures.append(caught.value)
    bad: List[Dict[str, Any]] = [{"base_url": f"https://u:{SECRET}@host/"}, {"roots": "none"}]
    for options in bad:
        with pytest.raises(BwError) as caught:
            Client("9900000", **{identifier: name, key: SECRET}, **options)
        failures.append(caught.value)
    with pytest.raises(TypeError) as wrong:
        Client("9900000", **{identifier: name, key: SECRET.encode()})
    basic = base64.b64encode(f"{name}:{SECRET}".encode()).decode()
    for error in (*failures, wrong.value):
        shown = "".join(traceback.format_exception(type(error), error, None))
        shown += repr(error) + str(error) + str(getattr(error, "document", ""))
        for secret in (SECRET, SECRET.encode("unicode_escape").decode(), basic, "eyJ"):
            assert secret not in shown
    assert len(failures) == (9 if identifier == "username" else 13)


def test_error_of_an_invalid_response_contains_no_token(plain: Sandbox) -> None:
    body = {"participant": {}, "token": "token-of-somebody"}
    plain.fault("createParticipant", "status", status=200, body=body)
    with plain.client() as client, pytest.raises(BwError) as caught:
        client.create_participant()
    assert "token-of-somebody" not in str(caught.value) + str(caught.value.document)
    assert caught.value.body is None


def test_password_is_sent_only_to_the_service() -> None:
    with SilentServer() as server, server.client(
        password=SECRET, timeout=1.0, max_retries=0
    ) as client:
        with pytest.raises(TimeoutError):
            client.create_participant()
        head = server.wait_for_request()
    basic = base64.b64encode(f"user:{SECRET}".encode())
    lines = [line.lower() for line in head.split(b"\r\n") if basic in line]
    assert lines == [b"authorization: basic " + basic.lower()]


def test_client_secret_is_sent_only_to_the_token_endpoint() -> None:
    with SilentServer() as service, SilentServer() as endpoint, service.client(
        client_id="client",
        client_secret=SECRET,
        token_url=endpoint.url,
        timeout=1.0,
        max_retries=0,
    ) as client:
        with pytest.raises(TimeoutError, match="the token request") as caught:
            client.create_participant()
        head = endpoint.wait_for_request()
        service.expect_nothing()
    error = caught.value
    assert isinstance(error, BwError)
    assert (error.outcome, error.attempts) == ("not_sent", 0)
    lines = head.split(b"\r\n")
    assert sum(line.lower().startswith(b"authorization: basic ") for line in lines) == 1
    assert SECRET.encode() not in head
