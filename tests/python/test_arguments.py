"""Arguments that are rejected before anything is sent."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from bw_webrtc import BwError, Client, ConfigError, InvalidArgumentError
from bw_webrtc.testing import Sandbox

REQUIRED: Dict[str, Any] = {"account_id": "9", "client_id": "i", "client_secret": "s"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("account_id", 9900000),
        ("account_id", None),
        ("client_id", b"client"),
        ("client_secret", 5),
        ("username", b"user"),
        ("password", ["p"]),
        ("token_url", 1),
        ("base_url", 1),
        ("timeout", "10"),
        ("timeout", True),
        ("connect_timeout", [1]),
        ("max_retries", 1.5),
        ("max_retries", False),
        ("ca_file", b"/etc/ca.pem"),
        ("ca_file", 3),
        ("allow_insecure_http", 1),
        ("log_format", 1),
        ("user_agent", ["x"]),
    ],
)
def test_option_of_wrong_type_is_named(option: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{option} must be .*, not {type(value).__name__}$"):
        Client(**{**REQUIRED, option: value})


def test_unknown_option_is_rejected() -> None:
    with pytest.raises(TypeError, match="timout"):
        Client("9", client_id="i", client_secret="s", timout=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_time_that_is_not_finite_is_rejected(value: float) -> None:
    with pytest.raises(ConfigError, match=r"^timeout: must be a finite number of seconds"):
        Client(**REQUIRED, timeout=value)


@pytest.mark.parametrize("value", [0, -0.5, 10**9])
def test_time_out_of_range_is_rejected_by_the_library(value: float) -> None:
    with pytest.raises(ConfigError, match=r"config\.timeoutMs: must be a whole number from 1 to"):
        Client(**REQUIRED, timeout=value)


@pytest.mark.parametrize(
    "option", ["account_id", "client_id", "client_secret", "username", "base_url", "ca_file"]
)
@pytest.mark.parametrize(
    ("value", "why"), [("ab\0c", "must not contain U"), ("ab\udc80", "has a lone surrogate")]
)
def test_option_with_nul_or_surrogate_is_rejected(option: str, value: str, why: str) -> None:
    options: Dict[str, Any] = {**REQUIRED, option: value}
    with pytest.raises(ConfigError, match=f"^{option}: {why}.*at index 2") as caught:
        Client(**options)
    assert caught.value.__context__ is None
    assert "ab" not in str(caught.value).replace(option, "")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"tag": 5}, "tag must be a str or None, not int"),
        ({"callback_url": b"http://x"}, "callback_url must be a str or None, not bytes"),
        ({"device_api_version": 3}, "device_api_version must be a str or None, not int"),
        ({"publish_permissions": "AUDIO"}, "publish_permissions must be an iterable of str, not"),
        ({"publish_permissions": {"AUDIO": 1}}, "publish_permissions must be an iterable of str"),
        ({"publish_permissions": 1}, "publish_permissions must be an iterable of str, not int"),
        ({"publish_permissions": ["AUDIO", 1]}, r"publish_permissions\[1\] must be a str, not int"),
    ],
)
def test_argument_of_wrong_type_is_named(
    plain: Sandbox, arguments: Dict[str, Any], why: str
) -> None:
    with plain.client() as client, pytest.raises(TypeError, match=why):
        client.create_participant(**arguments)
    assert plain.requests() == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"tag": "a\0b"}, r"tag: must not contain U\+0000"),
        ({"tag": "a\ud800b"}, "tag: has a lone surrogate"),
        ({"callback_url": "\0"}, r"callback_url: must not contain U\+0000"),
        ({"publish_permissions": ["AUDIO", "\udfff"]}, r"publish_permissions\[1\]: has a lone"),
        ({"publish_permissions": ["AUDOI"]}, r'request\.publishPermissions\[0\]: "AUDOI" is not'),
        ({"publish_permissions": ["AUDIO"] * 2}, r"request\.publishPermissions\[1\]"),
        ({"tag": "\U0001f600" * 51}, r"request\.tag: has 51 characters"),
        ({"callback_url": "/hook"}, r"request\.callbackUrl"),
        ({"device_api_version": "V9"}, r"request\.deviceApiVersion"),
    ],
)
def test_invalid_value_is_named(plain: Sandbox, arguments: Dict[str, Any], why: str) -> None:
    with plain.client() as client, pytest.raises(InvalidArgumentError, match=why) as caught:
        client.create_participant(**arguments)
    error = caught.value
    assert isinstance(error, ValueError)
    assert (error.status, error.name) == (1, "BW_E_INVALID_ARGUMENT")
    assert (error.operation, error.outcome) == ("createParticipant", "not_sent")
    assert error.attempts == 0
    assert set(error.document["error"]) == {
        "status",
        "name",
        "message",
        "operation",
        "outcome",
        "attempts",
        "httpStatus",
        "requestId",
        "retryAfterMs",
        "body",
    }
    assert plain.requests() == []


def test_credentials_are_keywords_of_one_kind() -> None:
    with pytest.raises(TypeError, match="positional argument"):
        Client("9", "u", "p")  # type: ignore[call-arg]
    for options in (
        {},
        {"client_id": "i"},
        {"client_secret": "s"},
        {"username": "u", "password": None},
        {"client_id": "i", "client_secret": "s", "username": "u", "password": "p"},
    ):
        with pytest.raises(ConfigError, match=r"client(Id|Secret)|password"):
            Client("9", **options)


@pytest.mark.parametrize("kind", ["client_id", "username"])
def test_invalid_credentials_do_not_replace_the_old_ones(plain: Sandbox, kind: str) -> None:
    with plain.client(**{kind: getattr(plain, kind)}) as client:
        for identifier, secret, name in (("u\0", "p", "identifier"), ("u", "\ud800", "secret")):
            with pytest.raises(InvalidArgumentError, match=f"^{name}: ") as caught:
                client.set_credentials(identifier, secret)
            assert caught.value.operation is None
        with pytest.raises(TypeError, match="secret must be a str, not NoneType"):
            client.set_credentials("u", None)  # type: ignore[arg-type]
        with pytest.raises(BwError, match="username" if kind == "username" else "clientId"):
            client.set_credentials("with:colon" if kind == "username" else "", "p")
        client.create_participant()
