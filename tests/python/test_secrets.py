"""Neither passwords nor tokens are shown where a log may pick them up."""

from __future__ import annotations

import base64
import traceback
from typing import Any, Dict, List

import pytest

from bw_webrtc import BwError, Client
from bw_webrtc.testing import Sandbox
from support import SilentServer

PASSWORD = "hush-8c1f\u00e9"


def test_a_token_is_in_no_repr(client: Client) -> None:
    created = client.create_participant(tag="seen")
    for shown in (repr(created), str(created), f"{created}", repr([created])):
        assert "seen" in shown
        assert created.token not in shown
        assert created.token.rsplit(".", 1)[1] not in shown


def test_a_client_shows_no_credentials(plain: Sandbox) -> None:
    with Client("9900000", "some-user", PASSWORD, base_url=plain.url) as client:
        shown = repr(client) + str(client) + repr(vars(client))
    assert PASSWORD not in shown
    assert "some-user" not in shown
    assert repr(client) == f"<bw_webrtc.Client closed at {id(client):#x}>"


def test_no_failure_shows_a_secret(sandbox: Sandbox) -> None:
    failures: List[BwError] = []
    with Client(
        "9900000", "user", PASSWORD, base_url=sandbox.url, ca_file=sandbox.ca_file, timeout=1
    ) as client:
        for kind in ("close_before", "close_after", "truncate", "garbage"):
            sandbox.fault("createParticipant", kind)
            with pytest.raises(BwError) as caught:
                client.create_participant()
            failures.append(caught.value)
        with pytest.raises(BwError) as caught:
            client.create_participant(tag="x" * 51)
        failures.append(caught.value)
        with pytest.raises(BwError) as caught:
            client.set_credentials("a\0", PASSWORD)
        failures.append(caught.value)
    bad: List[Dict[str, Any]] = [{"base_url": f"https://u:{PASSWORD}@host/"}, {"roots": "none"}]
    for options in bad:
        with pytest.raises(BwError) as caught:
            Client("9900000", "user", PASSWORD, **options)
        failures.append(caught.value)
    with pytest.raises(TypeError) as wrong:
        Client("9900000", "user", PASSWORD.encode())  # type: ignore[arg-type]
    basic = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    for error in (*failures, wrong.value):
        shown = "".join(traceback.format_exception(type(error), error, None))
        shown += repr(error) + str(error) + str(getattr(error, "document", ""))
        for secret in (PASSWORD, PASSWORD.encode("unicode_escape").decode(), basic):
            assert secret not in shown
    assert len(failures) == 8


def test_a_token_whose_answer_was_cut_is_not_shown(plain: Sandbox) -> None:
    body = {"participant": {}, "token": "token-of-somebody"}
    plain.fault("createParticipant", "status", status=200, body=body)
    with plain.client() as client, pytest.raises(BwError) as caught:
        client.create_participant()
    assert "token-of-somebody" not in str(caught.value) + str(caught.value.document)
    assert caught.value.body is None


def test_the_password_reaches_the_service_and_nothing_else() -> None:
    with SilentServer() as server, Client(
        "9900000", "user", PASSWORD, base_url=server.url, timeout=0.3, max_retries=0
    ) as client:
        with pytest.raises(TimeoutError):
            client.create_participant()
        head = server.wait_for_request()
    basic = base64.b64encode(f"user:{PASSWORD}".encode())
    lines = [line for line in head.split(b"\r\n") if basic in line]
    assert lines == [b"authorization: Basic " + basic] or lines == [
        b"Authorization: Basic " + basic
    ]
