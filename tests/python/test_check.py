"""``python -m bw_webrtc check``: a sentence for everything that can be wrong."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Callable, List, Tuple

import pytest

from bw_webrtc.testing import Sandbox
from support import Environment, api_user_environment, environment, python


def lines(environment: Environment, *arguments: str, code: int = 1) -> List[str]:
    """What the check prints, which contains no secret."""
    completed = python(["-m", "bw_webrtc", "check", *arguments], environment)
    assert completed.returncode == code, completed.stderr
    quiet, output = (
        (completed.stdout, completed.stderr) if code else (completed.stderr, completed.stdout)
    )
    assert quiet == ""
    for name in ("BW_PASSWORD", "BW_CLIENT_SECRET"):
        secret = environment[name]
        assert not secret or secret not in output
    return output.splitlines()


def sentence(environment: Environment, *arguments: str) -> str:
    """What the check prints if the problem concerns both services: one line."""
    (output,) = lines(environment, *arguments)
    return output


def first_sentence(environment: Environment, *arguments: str, code: int = 1) -> str:
    """What the check prints of WebRTC v1."""
    output = lines(environment, *arguments, code=code)
    assert len(output) == 2
    return output[0]


@pytest.mark.parametrize("variables", [environment, api_user_environment])
def test_success(plain: Sandbox, variables: Callable[..., Environment]) -> None:
    right = "the host name, the connection, the credentials and the account (account 9900000 at"
    warning = (
        "warning: user names stop working on 2 December 2026: use BW_CLIENT_ID and BW_CLIENT_SECRET"
    )
    assert lines(variables(plain), code=0) == [
        f"right: WebRTC v1: {right} {plain.url})",
        f"right: BRTC: {right} {plain.endpoints_url})",
        *([warning] if variables is api_user_environment else []),
    ]
    requests = [(request["operation"], request["status"]) for request in plain.requests()]
    assert requests == [("getParticipant", 404), ("listEndpoints", 200)]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("operation", "name", "variable"),
    [
        ("getParticipant", "WebRTC v1", "BW_BASE_URL"),
        ("listEndpoints", "BRTC", "BW_ENDPOINTS_URL"),
    ],
)
def test_credential_with_access_to_one_service(
    plain: Sandbox, operation: str, name: str, variable: str, status: int
) -> None:
    plain.fault(operation, "status", status=status, body={"message": "go away"}, count=None)
    output = lines(environment(plain), code=0)
    assert [line.partition(": ")[0] for line in output].count("right") == 1
    (other,) = [line for line in output if not line.startswith("right: ")]
    assert other.startswith(
        f"not usable: {name}: the host name, the connection and the credentials are right, but the "
        f"credential has no access to the account (BW_ACCOUNT_ID) or no role for {name}, or the "
        f"path in {variable} is wrong, HTTP {status}: go away (BW_E_"
    )


def test_service_without_a_url(plain: Sandbox) -> None:
    first, second = lines(environment(plain, BW_ENDPOINTS_URL=None), code=0)
    assert first.startswith("right: WebRTC v1: ")
    assert second.startswith("not usable: BRTC: the configuration: BW_ENDPOINTS_URL: is missing")


@pytest.mark.parametrize("body", [{"message": "no"}, "<h1>nothing here</h1>"])
def test_other_service_is_wrong(plain: Sandbox, body: object) -> None:
    plain.fault("listEndpoints", "status", status=404, body=body)
    first, second = lines(environment(plain))
    assert first.startswith("right: WebRTC v1: ")
    assert second.startswith(f"wrong: BRTC: {plain.endpoints_url} responds, but not as the service")


def test_success_over_tls(secure: Sandbox) -> None:
    assert secure.ca_file is not None
    for output in lines(environment(secure), "--ca-file", secure.ca_file, code=0):
        assert "the connection, TLS, the credentials and the account" in output


@pytest.mark.parametrize("arguments", [(), ("--timeout", "5")])
@pytest.mark.parametrize("missing", ["BW_ACCOUNT_ID", "BW_CLIENT_ID", "BW_CLIENT_SECRET"])
def test_missing_variable(missing: str, arguments: Tuple[str, ...], plain: Sandbox) -> None:
    output = sentence(environment(plain, **{missing: None}), *arguments)
    assert output == f"wrong: the configuration: the environment variable {missing} is not set"
    assert plain.requests() == []


def test_all_variables_missing(plain: Sandbox) -> None:
    names = ("BW_ACCOUNT_ID", "BW_CLIENT_ID", "BW_CLIENT_SECRET")
    output = sentence(environment(plain, **dict.fromkeys(names)))
    assert output.endswith("variables BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET are not set")


def test_missing_token_url(plain: Sandbox) -> None:
    output = sentence(environment(plain, BW_TOKEN_URL=None))
    assert output.startswith("wrong: the configuration: BW_TOKEN_URL: is missing")


def test_settings_file_that_is_a_fifo(plain: Sandbox, tmp_path: Path) -> None:
    fifo = tmp_path / "bandwidth.json"
    os.mkfifo(fifo, 0o600)
    # Without the variables that override the file.
    file = environment(plain, BW_CONFIG_FILE=str(fifo), BW_BASE_URL=None, BW_ACCOUNT_ID=None)
    output = sentence(file)
    assert output.startswith("wrong: the configuration: ")
    assert str(fifo) in output


def test_invalid_url(plain: Sandbox) -> None:
    output = sentence(environment(plain, BW_BASE_URL="nonsense"))
    assert output.startswith("wrong: the configuration: BW_BASE_URL: must be an absolute URL")


def test_unknown_host_name(plain: Sandbox) -> None:
    # No name server may know this name (RFC 6761).
    output = first_sentence(environment(plain, BW_BASE_URL="https://service.invalid/v1"))
    assert output.startswith("wrong: WebRTC v1: the host name is wrong, or cannot be resolved: ")
    assert "service.invalid" in output
    assert "BW_E_RESOLVE" in output


def test_refused_connection(plain: Sandbox) -> None:
    with socket.socket() as taken:
        # Bound and not listening.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        output = first_sentence(environment(plain, BW_BASE_URL=url))
        token = sentence(environment(plain, BW_TOKEN_URL=url))
    assert output.startswith(
        "wrong: WebRTC v1: the host name is right, but no connection can be made: "
    )
    assert token.startswith(
        "wrong: the host name is right, but the token endpoint gives no token: no connection can "
        "be made"
    )
    assert f", {url})" in token


def test_untrusted_certificate(secure: Sandbox) -> None:
    output = sentence(environment(secure))
    assert output.startswith(
        "wrong: the host name and the connection are right, but the token endpoint gives no token: "
        "TLS fails: "
    )
    output = first_sentence(api_user_environment(secure))
    assert output.startswith(
        "wrong: WebRTC v1: the host name and the connection are right, but TLS fails: "
    )


def test_wrong_client_secret(plain: Sandbox) -> None:
    output = sentence(environment(plain, BW_CLIENT_SECRET="mistyped-secret"))
    assert output.startswith(
        "wrong: the host name and the connection are right, but the client id or secret is wrong "
        f"(BW_CLIENT_ID, BW_CLIENT_SECRET), HTTP 401 (BW_E_UNAUTHORIZED, {plain.token_url})"
    )
    assert plain.requests() == []


@pytest.mark.parametrize("status", [302, 400, 403, 404, 409])
def test_token_endpoint_rejects_the_request(status: int, plain: Sandbox) -> None:
    plain.fault("token", "status", status=status, body={"error_description": "not here"})
    output = sentence(environment(plain))
    assert output.startswith(
        "wrong: the host name and the connection are right, but the token endpoint rejects the "
        f"request (HTTP {status}): check BW_TOKEN_URL and the credential"
    )
    assert output.endswith(f", {plain.token_url})")
    assert "the token request" not in output
    assert "no usable response" not in output


def test_wrong_password(plain: Sandbox) -> None:
    output = first_sentence(api_user_environment(plain, BW_PASSWORD="mistyped-secret"))
    assert output.startswith(
        "wrong: WebRTC v1: the host name and the connection are right, but the user name or "
        "password is wrong (BW_USERNAME, BW_PASSWORD) or has no access to the account "
        "(BW_ACCOUNT_ID), HTTP 401; Bandwidth disabled user names on 2 December 2026: use "
        "BW_CLIENT_ID and BW_CLIENT_SECRET"
    )
    assert "BW_E_UNAUTHORIZED" in output


@pytest.mark.parametrize("status", [401, 403])
def test_credential_without_access(status: int, plain: Sandbox) -> None:
    body = {"message": "go away"}
    plain.fault("*", "status", status=status, body=body, count=None)
    output = first_sentence(environment(plain))
    assert output.startswith(
        "wrong: WebRTC v1: the host name, the connection and the credentials are right, but the "
        "credential has no access to the account (BW_ACCOUNT_ID) or no role for WebRTC v1, or the "
        f"path in BW_BASE_URL is wrong, HTTP {status}: go away (BW_E_"
    )


def test_wrong_account(plain: Sandbox) -> None:
    output = first_sentence(environment(plain, BW_ACCOUNT_ID="1234567"))
    assert "the credential has no access to the account (BW_ACCOUNT_ID)" in output
    assert "HTTP 403" in output


def test_service_rejects_the_request(plain: Sandbox) -> None:
    plain.fault("getParticipant", "status", status=405, body={"error": "no such method"})
    assert first_sentence(environment(plain)) == (
        "wrong: WebRTC v1: the host name and the connection are right, but the service rejects the "
        f"request (HTTP 405): no such method (BW_E_HTTP_STATUS, {plain.url})"
    )


def test_service_fails(plain: Sandbox) -> None:
    plain.fault("getParticipant", "status", status=503, count=None)
    assert "but the service failed: " in first_sentence(environment(plain))
    plain.fault("token", "status", status=503, count=None)
    output = sentence(environment(plain))
    assert "but the token endpoint gives no token: the service failed: " in output


def test_response_of_another_server(plain: Sandbox) -> None:
    plain.fault("getParticipant", "status", status=404, body="<h1>nothing here</h1>")
    output = first_sentence(environment(plain))
    assert f"{plain.url} responds, but not as the service does: " in output
    plain.fault("token", "status", status=200, body="<h1>log in to the network</h1>")
    output = sentence(environment(plain))
    assert "the token endpoint gives no token: the response is not from the service: " in output


def test_no_response(plain: Sandbox) -> None:
    for operation in ("getParticipant", "token"):
        plain.fault(operation, "delay", ms=20000, count=None)
        output = lines(environment(plain), "--timeout", "0.5")[0]
        assert "there is no response in time: " in output
        assert ("the token endpoint gives no token" in output) == (operation == "token")
        assert "BW_E_TIMEOUT" in output


def test_missing_library(plain: Sandbox) -> None:
    completed = python(
        ["-m", "bw_webrtc", "check"], environment(plain, BW_WEBRTC_LIBRARY="/nowhere/lib.so")
    )
    assert (completed.returncode, completed.stdout) == (1, "")
    assert "/nowhere/lib.so" in completed.stderr


def test_help_names_the_variables(plain: Sandbox) -> None:
    completed = python(["-m", "bw_webrtc", "check", "--help"])
    text = " ".join(completed.stdout.split())
    for name in (*plain.environment(), "BW_USERNAME", "BW_PASSWORD"):
        assert name in text
