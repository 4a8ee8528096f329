"""``python -m bw_webrtc check``: a sentence for everything that can be wrong on the way."""

from __future__ import annotations

import socket
from typing import Dict, Optional

import pytest

from bw_webrtc.testing import Sandbox
from support import python


def environment(sandbox: Sandbox, **changed: Optional[str]) -> Dict[str, Optional[str]]:
    found: Dict[str, Optional[str]] = {
        "BW_ACCOUNT_ID": sandbox.account_id,
        "BW_USERNAME": sandbox.username,
        "BW_PASSWORD": sandbox.password,
        "BW_BASE_URL": sandbox.url,
    }
    return {**found, **changed}


def sentence(environment: Dict[str, Optional[str]], *arguments: str, code: int = 1) -> str:
    """What it prints, which is one line and holds no secret."""
    ended = python(["-m", "bw_webrtc", "check", *arguments], environment)
    assert ended.returncode == code, ended.stderr
    quiet, said = (ended.stdout, ended.stderr) if code else (ended.stderr, ended.stdout)
    assert quiet == ""
    assert said.count("\n") == 1
    secret = environment["BW_PASSWORD"]
    assert not secret or secret not in said
    return said.strip()


def test_all_is_right(plain: Sandbox) -> None:
    assert sentence(environment(plain), code=0) == (
        "right: the name, the connection, the credentials and the account "
        f"(account 9900000 at {plain.url})"
    )
    (seen,) = plain.requests()
    assert (seen["operation"], seen["status"]) == ("getParticipant", 404)


def test_all_is_right_over_tls(secure: Sandbox) -> None:
    assert secure.ca_file is not None
    said = sentence(environment(secure), "--ca-file", secure.ca_file, code=0)
    assert "the connection, TLS, the credentials and the account" in said


@pytest.mark.parametrize("missing", ["BW_ACCOUNT_ID", "BW_USERNAME", "BW_PASSWORD"])
def test_a_variable_is_missing(missing: str, plain: Sandbox) -> None:
    assert sentence(environment(plain, **{missing: None})) == f"wrong: {missing} is not set"
    assert plain.requests() == []


def test_all_variables_are_missing(plain: Sandbox) -> None:
    names = ("BW_ACCOUNT_ID", "BW_USERNAME", "BW_PASSWORD")
    said = sentence(environment(plain, **dict.fromkeys(names)))
    assert said == "wrong: BW_ACCOUNT_ID, BW_USERNAME and BW_PASSWORD are not set"


def test_the_url_is_none(plain: Sandbox) -> None:
    said = sentence(environment(plain, BW_BASE_URL="nonsense"))
    assert said.startswith("wrong: the configuration is wrong: ")
    assert "baseUrl" in said


def test_the_name_is_wrong(plain: Sandbox) -> None:
    # A name that no name server may ever know (RFC 6761).
    said = sentence(environment(plain, BW_BASE_URL="https://service.invalid/v1"))
    assert said.startswith("wrong: the name is wrong, or no name server knows it: ")
    assert "service.invalid" in said
    assert "BW_E_RESOLVE" in said


def test_nobody_listens(plain: Sandbox) -> None:
    with socket.socket() as taken:
        # Bound, so that nobody else is, and not listening.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        said = sentence(environment(plain, BW_BASE_URL=url))
    assert said.startswith("wrong: the name is right, but no connection can be made: ")


def test_the_certificate_is_not_trusted(secure: Sandbox) -> None:
    said = sentence(environment(secure))
    assert said.startswith("wrong: the name and the connection are right, but TLS fails: ")


def test_the_credentials_are_wrong(plain: Sandbox) -> None:
    said = sentence(environment(plain, BW_PASSWORD="mistyped-secret"))
    assert said.startswith(
        "wrong: the name and the connection are right, but the credentials are wrong "
    )


def test_the_account_is_wrong(plain: Sandbox) -> None:
    said = sentence(environment(plain, BW_ACCOUNT_ID="1234567"))
    assert said.startswith(
        "wrong: the name, the connection and the credentials are right, but the account is wrong "
    )


def test_the_service_is_out_of_order(plain: Sandbox) -> None:
    plain.fault("getParticipant", "status", status=503, count=None)
    assert "but the service is out of order: " in sentence(environment(plain))


def test_another_server_answers(plain: Sandbox) -> None:
    plain.fault("getParticipant", "status", status=404, body="<h1>nothing here</h1>")
    assert f"{plain.url} answers, but not as the service does: " in sentence(environment(plain))


def test_no_answer_comes(plain: Sandbox) -> None:
    plain.fault("getParticipant", "delay", ms=20000, count=None)
    said = sentence(environment(plain), "--timeout", "0.5")
    assert said.startswith("wrong: there is no usable answer: ")
    assert "BW_E_TIMEOUT" in said


def test_the_library_is_nowhere(plain: Sandbox) -> None:
    ended = python(
        ["-m", "bw_webrtc", "check"], environment(plain, BW_WEBRTC_LIBRARY="/nowhere/lib.so")
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "/nowhere/lib.so" in ended.stderr
