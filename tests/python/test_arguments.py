"""Arguments that are rejected before anything is sent."""

from __future__ import annotations

import asyncio
import json
import pickle
import re
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple, Type

import pytest

from bw_webrtc import (
    BwError,
    CallTimeoutError,
    Client,
    ConfigError,
    Direction,
    EndpointStatus,
    InvalidArgumentError,
    Outcome,
    ParticipantSubscription,
    Permission,
    ServiceError,
    Subscriptions,
    UnauthorizedError,
    _names,
    _operations,
)
from bw_webrtc.testing import Sandbox
from support import LIMIT

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
    with pytest.raises(
        ConfigError, match=r"^timeout: must be a number of seconds from 0\.001 to 86400 \["
    ):
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
        ({"publish_permissions": ["AUDOI"]}, r'publish_permissions\[0\]: "AUDOI" is not'),
        ({"publish_permissions": ["AUDIO"] * 2}, r"publish_permissions\[1\]"),
        ({"tag": "\U0001f600" * 51}, ": tag: has 51 characters"),
        ({"callback_url": "/hook"}, ": callback_url: "),
        ({"device_api_version": "V9"}, ": device_api_version: "),
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
        with pytest.raises(ConfigError, match=r"client_(id|secret)|password"):
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
        with pytest.raises(BwError, match=r"^identifier: "):
            client.set_credentials("with:colon" if kind == "username" else "", "p")
        client.create_participant()


def async_call(sandbox: Sandbox, name: str, *arguments: Any, **options: Any) -> Any:
    async def work() -> Any:
        async with sandbox.async_client() as client:
            return await getattr(client, name)(*arguments, **options)

    return asyncio.run(work())


def sync_call(sandbox: Sandbox, name: str, *arguments: Any, **options: Any) -> Any:
    with sandbox.client() as client:
        return getattr(client, name)(*arguments, **options)


CALLS: List[Callable[..., Any]] = [sync_call, async_call]
NAMES: List[Tuple[str, Tuple[Any, ...], Dict[str, Any], str]] = [
    ("create_participant", (), {"publish_permissions": ["AUDIO", "X"]}, "publish_permissions[1]: "),
    ("create_participant", (), {"callback_url": "/"}, "callback_url: "),
    ("create_participant", (), {"device_api_version": "1"}, "device_api_version: "),
    ("create_participant", (), {"tag": 'callbackUrl "' * 9}, "tag: has 117 characters"),
    (
        "create_participant",
        (),
        {"publish_permissions": ['"tag.callbackUrl']},
        "publish_permissions",
    ),
    ("create_session", (), {"tag": "x" * 51}, "tag: "),
    ("create_endpoint", (), {"direction": "callbackUrl"}, 'direction: "callbackUrl" is not'),
    ("create_endpoint", (), {"direction": "INBOUND", "event_callback_url": "/"}, "event_callback_"),
    ("list_endpoints", (), {"limit": 1001}, "limit: "),
    ("list_endpoints", (), {"after_cursor": ""}, "after_cursor: is empty"),
    ("get_participant", ("",), {}, "participant_id: is empty"),
    ("get_session", ("..",), {}, "session_id: "),
    ("get_endpoint", ("",), {}, "endpoint_id: is empty"),
    ("update_endpoint_bxml", ("e", "<a>"), {}, "bxml: "),
    ("add_participant_to_session", ("s", ""), {}, "participant_id: is empty"),
    (
        "add_participant_to_session",
        ("s", "p", Subscriptions(participants=[ParticipantSubscription("")])),
        {},
        "subscriptions.participants[0].participantId: is empty",
    ),
    # The names inside of a document are the service's.
    (
        "update_participant_subscriptions",
        ("s", "p", {"x": 1}),
        {},
        "subscriptions.x: is not known; the known names are sessionId, participants",
    ),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("timeout", [None, 5])
@pytest.mark.parametrize(("name", "arguments", "options", "start"), NAMES)
def test_message_contains_the_names_of_python(
    plain: Sandbox,
    call: Callable[..., Any],
    timeout: Optional[float],
    name: str,
    arguments: Any,
    options: Any,
    start: str,
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        call(plain, name, *arguments, timeout=timeout, **options)
    error = caught.value
    assert error.message.startswith(start)
    assert error.document["error"]["message"] == error.message
    assert (error.outcome, error.attempts) == (Outcome.NOT_SENT, 0)
    assert error.operation is not None
    assert str(error).startswith(f"{error.operation}: {start}")


@pytest.mark.parametrize("call", CALLS)
def test_message_of_a_generic_call_contains_the_names_of_the_service(
    plain: Sandbox, call: Callable[..., Any]
) -> None:
    document = {"operation": "createParticipant", "body": {"publishPermissions": ["X"]}}
    with pytest.raises(InvalidArgumentError, match=r"^createParticipant: call\.body\.publishPerm"):
        call(plain, "call", document)
    with pytest.raises(InvalidArgumentError, match=r"^call\.operation: "):
        call(plain, "call", {"operation": "x"})


@pytest.mark.parametrize("call", CALLS)
def test_request_that_is_too_large_is_an_error_of_its_operation(
    plain: Sandbox, call: Callable[..., Any]
) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^listEndpoints: .*at most 65536") as caught:
        call(plain, "list_endpoints", after_cursor="x" * 70_000)
    assert caught.value.outcome == Outcome.NOT_SENT


def test_every_key_has_a_name() -> None:
    keys = {key for operation in _operations.ALL for key in operation.ids}
    source = Path(_operations.__file__).read_text()
    keys.update(re.findall(r"',\"(\w+)\":'", source))
    assert len(keys) > 10
    for key in keys:
        if key.lower() != key:
            assert _names.NAMES[key] == re.sub("([A-Z])", r"_\1", key).lower()
    assert _names.translate_config(
        "config.retryBaseMs: is wrong; /x: y.json: timeoutMs: must be a whole number from 1 to 5; "
        "did baseUrl change; config.tokenUrl: is missing; baseUrl is not the service's own"
    ) == (
        "retry_base: is wrong; /x: y.json: timeoutMs: must be a whole number from 1 to 5; "
        "did baseUrl change; token_url: is missing; base_url is not the service's own"
    )
    assert _names.translate("config.caFile: /a/caFile/x cannot be read") == (
        "ca_file: /a/caFile/x cannot be read"
    )
    assert _names.translate("config.retryBaseMs: must be a whole number from 1 to 3600000") == (
        "retry_base: must be a number of seconds from 0.001 to 3600"
    )


@pytest.mark.parametrize("call", CALLS)
def test_advice_contains_the_names_of_python(plain: Sandbox, call: Callable[..., Any]) -> None:
    plain.fault("createSession", "delay", ms=20_000, count=None)
    with pytest.raises(CallTimeoutError, match="see timeout and attempt_timeout in the config"):
        call(plain, "create_session", timeout=0.3)
    with pytest.raises(
        UnauthorizedError, match="check client_id and client_secret: "
    ), plain.client(client_secret="wrong") as client:
        client.create_session()
    assert _names.translate_advice("check baseUrl: the callbackUrl is wrong: baseUrl") == (
        "check base_url: the callbackUrl is wrong: baseUrl"
    )


@pytest.mark.parametrize("call", CALLS)
def test_timeout_of_a_call(plain: Sandbox, call: Callable[..., Any]) -> None:
    call(plain, "create_session", timeout=LIMIT)
    plain.fault("*", "delay", ms=20_000, count=None)
    with plain.client(timeout=0.001) as client:
        began = time.monotonic()
        with pytest.raises(CallTimeoutError):
            client.create_session()
    operations: List[Tuple[str, Tuple[Any, ...], Dict[str, Any]]] = [
        ("create_participant", (), {}),
        ("get_participant", ("p",), {}),
        ("delete_participant", ("p",), {}),
        ("create_session", (), {}),
        ("get_session", ("s",), {}),
        ("delete_session", ("s",), {}),
        ("list_session_participants", ("s",), {}),
        ("add_participant_to_session", ("s", "p"), {}),
        ("remove_participant_from_session", ("s", "p"), {}),
        ("get_participant_subscriptions", ("s", "p"), {}),
        ("update_participant_subscriptions", ("s", "p"), {}),
        ("create_endpoint", (), {"direction": Direction.INBOUND}),
        ("list_endpoints", (), {}),
        ("get_endpoint", ("e",), {}),
        ("delete_endpoint", ("e",), {}),
        ("update_endpoint_bxml", ("e", "<Response/>"), {}),
        ("call", ({"operation": "createSession", "timeoutMs": 20_000},), {}),
    ]
    assert len(operations) == len(_operations.ALL) + 1
    for name, arguments, options in operations:
        with pytest.raises(CallTimeoutError):
            call(plain, name, *arguments, **options, timeout=0.05)
    with pytest.raises(CallTimeoutError), plain.client() as client:
        next(client.endpoints(timeout=0.05))
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["create_session", "call"])
def test_invalid_timeout_of_a_call(plain: Sandbox, call: Callable[..., Any], name: str) -> None:
    arguments = [{"operation": "createSession"}] if name == "call" else []
    for value in ("5", True, [1]):
        with pytest.raises(TypeError, match=r"^timeout must be a number of seconds, not"):
            call(plain, name, *arguments, timeout=value)
    for number in (float("nan"), float("inf"), 1e300):
        with pytest.raises(InvalidArgumentError, match=r"timeout: must be a finite"):
            call(plain, name, *arguments, timeout=number)
    seconds = r"^\w+: timeout: must be a number of seconds from 0\.001 to 86400 \["
    for number in (0, -1, 10**9):
        with pytest.raises(InvalidArgumentError, match=seconds) as caught:
            call(plain, name, *arguments, timeout=number)
        assert caught.value.operation == "createSession"
    assert plain.requests() == []


@pytest.mark.parametrize("timeout", [{}, {"timeout": LIMIT}])
@pytest.mark.parametrize("call", CALLS)
def test_limit_of_a_request_is_the_same_with_and_without_a_timeout(
    plain: Sandbox, call: Callable[..., Any], timeout: Dict[str, float]
) -> None:
    # Each takes more room in the document of the call.
    for text in ('"' * 65_529, "\u00e9" * 32_764):
        bxml = f"<R>{text}</R>"
        assert 65_535 <= len(bxml.encode()) <= 65_536
        # The service does not offer the operation, but received the request.
        with pytest.raises(ServiceError, match="HTTP 405"):
            call(plain, "update_endpoint_bxml", "e-1", bxml, **timeout)
        with pytest.raises(
            InvalidArgumentError, match=r": bxml: has 6553[78] bytes; at most 65536"
        ):
            call(plain, "update_endpoint_bxml", "e-1", bxml + "  ", **timeout)
    assert len(plain.requests("updateEndpointBxml")) == 2
    wide = Subscriptions.to("x" * 70_000)
    with pytest.raises(InvalidArgumentError, match=r": subscriptions: has 70039 bytes"):
        call(plain, "update_participant_subscriptions", "s", "p", wide, **timeout)
    with pytest.raises(InvalidArgumentError, match=r": request: has 70010 bytes"):
        call(plain, "create_session", tag="x" * 70_000, **timeout)


@pytest.mark.parametrize("call", CALLS)
def test_call_that_is_too_large_as_json(plain: Sandbox, call: Callable[..., Any]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        call(plain, "update_endpoint_bxml", "e-1", "x" * 600_000, timeout=LIMIT)
    assert re.search(
        r": bxml: as JSON, the call has \d+ bytes; at most 524288 are allowed", str(caught.value)
    )
    assert plain.requests() == []


def test_results_are_the_same_with_a_timeout(client: Client) -> None:
    created = client.create_participant(tag="a", timeout=LIMIT)
    assert created.token
    assert client.get_participant(created.id, timeout=LIMIT) == client.get_participant(created.id)
    session = client.create_session(timeout=LIMIT)
    client.add_participant_to_session(
        session.id, created.id, Subscriptions(session_id=session.id), timeout=LIMIT
    )
    assert client.list_session_participants(session.id, timeout=LIMIT)[0].id == created.id
    found = client.get_participant_subscriptions(session.id, created.id, timeout=LIMIT)
    assert found == Subscriptions(session_id=session.id)
    client.delete_participant(created.id, timeout=LIMIT)


ENUMS: List[Type[Any]] = [Permission, Direction, EndpointStatus, Outcome]


@pytest.mark.parametrize("enum", ENUMS)
def test_enums_are_texts(enum: Type[Any]) -> None:
    for member, value in [(member, member.value) for member in enum]:
        assert isinstance(member, str)
        assert member == value == str(member) == f"{member}" == f"{member:s}"
        assert json.dumps([member]) == f'["{value}"]'
        assert {value: 1}[member] == 1
        assert pickle.loads(pickle.dumps(member)) is member
        assert enum(value) is member


def test_enums_are_accepted_and_returned(client: Client) -> None:
    for permissions in (
        [Permission.AUDIO, "VIDEO"],
        (Permission.VIDEO, Permission.AUDIO),
        {Permission.AUDIO, Permission.VIDEO},
        iter(Permission),
    ):
        created = client.create_participant(publish_permissions=permissions)
        assert set(created.participant.publish_permissions) == set(Permission)
    endpoint = client.create_endpoint(direction=Direction.BIDIRECTIONAL)
    assert endpoint.status == EndpointStatus.DISCONNECTED
    (found,) = client.endpoints(status=EndpointStatus.DISCONNECTED)
    assert found.id == endpoint.id
    with pytest.raises(BwError) as caught:
        client.get_endpoint("e-0")
    assert caught.value.outcome is Outcome.REJECTED
    assert pickle.loads(pickle.dumps(caught.value)).outcome is Outcome.REJECTED
    assert BwError("x", outcome="unknown").outcome is Outcome.UNKNOWN
    assert BwError("x", outcome="a later one").outcome == "a later one"


def test_lists_are_accepted_in_subscriptions() -> None:
    one = ParticipantSubscription("p", ["camera"])
    assert one == ParticipantSubscription("p", ("camera",))
    assert hash(Subscriptions(participants=[one])) == hash(Subscriptions(participants=(one,)))
