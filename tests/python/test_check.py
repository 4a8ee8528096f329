"""``python -m bw_webrtc check``: a sentence for everything that can be wrong."""

from __future__ import annotations

import socket
from typing import Callable, Dict, Optional, Tuple

import pytest

from bw_webrtc.testing import Sandbox
from support import python

Environment = Dict[str, Optional[str]]


def environment(sandbox: Sandbox, **changed: Optional[str]) -> Environment:
    unset = dict.fromkeys(("BW_USERNAME", "BW_PASSWORD"))
    return {**unset, **sandbox.environment(), **changed}


def api_user(sandbox: Sandbox, **changed: Optional[str]) -> Environment:
    unset = dict.fromkeys(("BW_CLIENT_ID", "BW_CLIENT_SECRET", "BW_TOKEN_URL"))
    user = {"BW_USERNAME": sandbox.username, "BW_PASSWORD": sandbox.password}
    return {**environment(sandbox), **unset, **user, **changed}


def sentence(environment: Environment, *arguments: str, code: int = 1) -> str:
    """What the check prints: one line without a secret."""
    ended = python(["-m", "bw_webrtc", "check", *arguments], environment)
    assert ended.returncode == code, ended.stderr
    quiet, said = (ended.stdout, ended.stderr) if code else (ended.stderr, ended.stdout)
    assert quiet == ""
    assert said.count("\n") == 1
    for name in ("BW_PASSWORD", "BW_CLIENT_SECRET"):
        secret = environment[name]
        assert not secret or secret not in said
    return said.strip()


@pytest.mark.parametrize("variables", [environment, api_user])
def test_everything_is_right(plain: Sandbox, variables: Callable[..., Environment]) -> None:
    end = "; but user names stop working on 2 December 2026: use BW_CLIENT_ID and BW_CLIENT_SECRET"
    assert sentence(variables(plain), code=0) == (
        "right: the name, the connection, the credentials and the account "
        f"(account 9900000 at {plain.url}){end if variables is api_user else ''}"
    )
    (seen,) = plain.requests()
    assert (seen["operation"], seen["status"]) == ("getParticipant", 404)


def test_everything_is_right_over_tls(secure: Sandbox) -> None:
    assert secure.ca_file is not None
    said = sentence(environment(secure), "--ca-file", secure.ca_file, code=0)
    assert "the connection, TLS, the credentials and the account" in said


@pytest.mark.parametrize("arguments", [(), ("--timeout", "5")])
@pytest.mark.parametrize("missing", ["BW_ACCOUNT_ID", "BW_CLIENT_ID", "BW_CLIENT_SECRET"])
def test_a_variable_is_missing(missing: str, arguments: Tuple[str, ...], plain: Sandbox) -> None:
    said = sentence(environment(plain, **{missing: None}), *arguments)
    assert said == f"wrong: the configuration: the environment variable {missing} is not set"
    assert plain.requests() == []


def test_all_variables_are_missing(plain: Sandbox) -> None:
    names = ("BW_ACCOUNT_ID", "BW_CLIENT_ID", "BW_CLIENT_SECRET")
    said = sentence(environment(plain, **dict.fromkeys(names)))
    assert said.endswith("variables BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET are not set")


def test_the_token_url_is_missing(plain: Sandbox) -> None:
    said = sentence(environment(plain, BW_TOKEN_URL=None))
    assert said.startswith("wrong: the configuration: BW_TOKEN_URL: is missing")


def test_the_url_is_invalid(plain: Sandbox) -> None:
    said = sentence(environment(plain, BW_BASE_URL="nonsense"))
    assert said.startswith("wrong: the configuration: BW_BASE_URL: must be an absolute URL")


def test_the_name_is_wrong(plain: Sandbox) -> None:
    # No name server may know this name (RFC 6761).
    said = sentence(environment(plain, BW_BASE_URL="https://service.invalid/v1"))
    assert said.startswith("wrong: the name is wrong, or cannot be resolved: ")
    assert "service.invalid" in said
    assert "BW_E_RESOLVE" in said


def test_the_connection_is_refused(plain: Sandbox) -> None:
    with socket.socket() as taken:
        # Bound and not listening.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        said = sentence(environment(plain, BW_BASE_URL=url))
        token = sentence(environment(plain, BW_TOKEN_URL=url))
    assert said.startswith("wrong: the name is right, but no connection can be made: ")
    assert token.startswith(
        "wrong: the name is right, but the token endpoint gives no token: no connection can be made"
    )
    assert f", {url})" in token


def test_the_certificate_is_not_trusted(secure: Sandbox) -> None:
    said = sentence(environment(secure))
    assert said.startswith(
        "wrong: the name and the connection are right, but the token endpoint gives no token: "
        "TLS fails: "
    )
    said = sentence(api_user(secure))
    assert said.startswith("wrong: the name and the connection are right, but TLS fails: ")


def test_the_client_secret_is_wrong(plain: Sandbox) -> None:
    said = sentence(environment(plain, BW_CLIENT_SECRET="mistyped-secret"))
    assert said.startswith(
        "wrong: the name and the connection are right, but the client id or secret is wrong "
        f"(BW_CLIENT_ID, BW_CLIENT_SECRET), HTTP 401 (BW_E_UNAUTHORIZED, {plain.token_url})"
    )
    assert plain.requests() == []


@pytest.mark.parametrize("status", [302, 400, 403, 404, 409])
def test_the_token_endpoint_rejects_the_request(status: int, plain: Sandbox) -> None:
    plain.fault("token", "status", status=status, body={"error_description": "not here"})
    said = sentence(environment(plain))
    assert said.startswith(
        "wrong: the name and the connection are right, but the token endpoint rejects the request "
        f"(HTTP {status}): check BW_TOKEN_URL and the credential"
    )
    assert said.endswith(f", {plain.token_url})")
    assert "the token request" not in said
    assert "no usable response" not in said


def test_the_password_is_wrong(plain: Sandbox) -> None:
    said = sentence(api_user(plain, BW_PASSWORD="mistyped-secret"))
    assert said.startswith(
        "wrong: the name and the connection are right, but the user name or password is wrong "
        "(BW_USERNAME, BW_PASSWORD) or has no access to the account (BW_ACCOUNT_ID), HTTP 401; "
        "Bandwidth disabled user names on 2 December 2026: use BW_CLIENT_ID and BW_CLIENT_SECRET"
    )
    assert "BW_E_UNAUTHORIZED" in said


@pytest.mark.parametrize("status", [401, 403])
def test_the_credential_has_no_access(status: int, plain: Sandbox) -> None:
    body = {"message": "go away"}
    plain.fault("getParticipant", "status", status=status, body=body, count=None)
    said = sentence(environment(plain))
    assert said.startswith(
        "wrong: the name, the connection and the credentials are right, but the credential has no "
        "access to the account (BW_ACCOUNT_ID) or no role for WebRTC, or the path in BW_BASE_URL "
        f"is wrong, HTTP {status}: go away (BW_E_"
    )


def test_the_account_is_wrong(plain: Sandbox) -> None:
    said = sentence(environment(plain, BW_ACCOUNT_ID="1234567"))
    assert "the credential has no access to the account (BW_ACCOUNT_ID)" in said
    assert "HTTP 403" in said


def test_the_service_rejects_the_request(plain: Sandbox) -> None:
    plain.fault("getParticipant", "status", status=405, body={"error": "no such method"})
    assert sentence(environment(plain)) == (
        "wrong: the name and the connection are right, but the service rejects the request "
        f"(HTTP 405): no such method (BW_E_HTTP_STATUS, {plain.url})"
    )


def test_the_service_is_out_of_order(plain: Sandbox) -> None:
    plain.fault("getParticipant", "status", status=503, count=None)
    assert "but the service failed: " in sentence(environment(plain))
    plain.fault("token", "status", status=503, count=None)
    said = sentence(environment(plain))
    assert "but the token endpoint gives no token: the service failed: " in said


def test_another_server_responds(plain: Sandbox) -> None:
    plain.fault("getParticipant", "status", status=404, body="<h1>nothing here</h1>")
    assert f"{plain.url} responds, but not as the service does: " in sentence(environment(plain))
    plain.fault("token", "status", status=200, body="<h1>log in to the network</h1>")
    said = sentence(environment(plain))
    assert "the token endpoint gives no token: the response is not from the service: " in said


def test_there_is_no_response(plain: Sandbox) -> None:
    for operation in ("getParticipant", "token"):
        plain.fault(operation, "delay", ms=20000, count=None)
        said = sentence(environment(plain), "--timeout", "0.5")
        assert "there is no response in time: " in said
        assert ("the token endpoint gives no token" in said) == (operation == "token")
        assert "BW_E_TIMEOUT" in said


def test_the_library_is_missing(plain: Sandbox) -> None:
    ended = python(
        ["-m", "bw_webrtc", "check"], environment(plain, BW_WEBRTC_LIBRARY="/nowhere/lib.so")
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "/nowhere/lib.so" in ended.stderr


def test_the_help_names_the_variables(plain: Sandbox) -> None:
    ended = python(["-m", "bw_webrtc", "check", "--help"])
    text = " ".join(ended.stdout.split())
    for name in (*plain.environment(), "BW_USERNAME", "BW_PASSWORD"):
        assert name in text
