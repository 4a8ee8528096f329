"""The operations except createParticipant, over HTTP and HTTPS."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Mapping
from urllib.parse import quote

import pytest

from bw_webrtc import (
    BwError,
    Client,
    ConflictError,
    InvalidArgumentError,
    InvalidHandleError,
    NotFoundError,
    Participant,
    ParticipantSubscription,
    Session,
    Subscriptions,
)
from bw_webrtc.testing import Sandbox
from support import bodies

MISSING = "00000000-0000-4000-8000-000000000000"


def test_get_participant(client: Client) -> None:
    created = client.create_participant(tag="alice", publish_permissions=["AUDIO"])
    read = client.get_participant(created.id)
    assert isinstance(read, Participant)
    assert read == created.participant
    with pytest.raises(NotFoundError):
        client.get_participant(MISSING)


def test_delete_participant(client: Client) -> None:
    created = client.create_participant()
    client.delete_participant(created.id)
    with pytest.raises(NotFoundError) as caught:
        client.delete_participant(created.id)
    assert caught.value.operation == "deleteParticipant"


def test_create_session(client: Client, sandbox: Sandbox) -> None:
    session = client.create_session(tag="caf\u00e9")
    assert isinstance(session, Session)
    assert (len(session.id), session.tag) == (36, "caf\u00e9")
    untagged = client.create_session()
    assert untagged.tag is None
    assert session.raw["id"] == session.id
    assert bodies(sandbox, "createSession") == [
        {"tag": "caf\u00e9"},
        {},
    ]
    with pytest.raises(InvalidArgumentError, match=": tag: has 51"):
        client.create_session(tag="x" * 51)


def test_get_session(client: Client) -> None:
    session = client.create_session(tag="room")
    assert client.get_session(session.id) == session
    with pytest.raises(NotFoundError):
        client.get_session(MISSING)


def test_delete_session(client: Client) -> None:
    session = client.create_session()
    created = client.create_participant()
    client.add_participant_to_session(session.id, created.id)
    client.delete_session(session.id)
    with pytest.raises(NotFoundError):
        client.get_session(session.id)
    assert client.get_participant(created.id).sessions == ()


def test_list_session_participants(client: Client) -> None:
    session = client.create_session()
    assert client.list_session_participants(session.id) == []
    ids = {client.create_participant().id for _ in range(3)}
    for participant_id in ids:
        client.add_participant_to_session(session.id, participant_id)
    listed = client.list_session_participants(session.id)
    assert {participant.id for participant in listed} == ids
    assert {participant.sessions for participant in listed} == {(session.id,)}


def test_add_participant_to_session(client: Client, sandbox: Sandbox) -> None:
    session = client.create_session()
    first, second = client.create_participant(), client.create_participant()
    everyone = Subscriptions(session_id=session.id)
    client.add_participant_to_session(session.id, first.id)
    client.add_participant_to_session(session.id, second.id, everyone)
    assert client.get_participant(second.id).subscriptions == everyone
    with pytest.raises(ConflictError) as caught:
        client.add_participant_to_session(session.id, second.id)
    assert caught.value.outcome == "rejected"
    assert bodies(sandbox, "addParticipantToSession") == [None, {"sessionId": session.id}, None]


def test_remove_participant_from_session(client: Client) -> None:
    session = client.create_session()
    created = client.create_participant()
    client.add_participant_to_session(session.id, created.id)
    client.remove_participant_from_session(session.id, created.id)
    assert client.list_session_participants(session.id) == []
    assert client.get_participant(created.id).sessions == ()
    with pytest.raises(NotFoundError):
        client.remove_participant_from_session(session.id, created.id)


def test_get_participant_subscriptions(client: Client) -> None:
    session = client.create_session()
    created = client.create_participant()
    client.add_participant_to_session(session.id, created.id)
    assert client.get_participant_subscriptions(session.id, created.id) == Subscriptions()
    with pytest.raises(NotFoundError):
        client.get_participant_subscriptions(session.id, MISSING)


def test_update_participant_subscriptions(client: Client, sandbox: Sandbox) -> None:
    session = client.create_session()
    first, second = client.create_participant(), client.create_participant()
    for created in (first, second):
        client.add_participant_to_session(session.id, created.id)
    wanted = [
        Subscriptions(session_id=session.id),
        Subscriptions.to(second.id),
        Subscriptions(
            session_id=session.id,
            participants=(ParticipantSubscription(second.id, ("camera", "screen")),),
        ),
        Subscriptions(),
    ]
    for subscriptions in wanted:
        client.update_participant_subscriptions(session.id, first.id, subscriptions)
        assert client.get_participant_subscriptions(session.id, first.id) == subscriptions
    client.update_participant_subscriptions(session.id, first.id, {"sessionId": session.id})
    client.update_participant_subscriptions(session.id, first.id)
    assert client.get_participant_subscriptions(session.id, first.id) == Subscriptions()
    assert bodies(sandbox, "updateParticipantSubscriptions")[2:] == [
        {
            "sessionId": session.id,
            "participants": [{"participantId": second.id, "streamAliases": ["camera", "screen"]}],
        },
        None,
        {"sessionId": session.id},
        None,
    ]


def test_call(client: Client) -> None:
    session = client.call({"operation": "createSession", "body": {"tag": "room"}})
    assert session["tag"] == "room"
    created = client.call({"operation": "createParticipant", "body": {}, "timeoutMs": 5000})
    assert created["token"]
    ids = {"sessionId": session["id"], "participantId": created["participant"]["id"]}
    assert client.call({"operation": "addParticipantToSession", **ids}) is None
    assert client.call({"operation": "getParticipantSubscriptions", **ids}) == {}
    listed = client.call({"operation": "listSessionParticipants", "sessionId": session["id"]})
    assert [participant["id"] for participant in listed] == [ids["participantId"]]


def test_timeout_of_one_call(plain: Sandbox) -> None:
    session = plain.client().create_session()
    plain.fault("getSession", "delay", ms=3000)
    call = {"operation": "getSession", "sessionId": session.id, "timeoutMs": 100}
    with plain.client() as client:
        with pytest.raises(TimeoutError):
            client.call(call)
        plain.clear_faults()
        assert client.get_session(session.id) == session


CALLS: Dict[str, Callable[[Client, Any], object]] = {
    "getParticipant": lambda client, x: client.get_participant(x),
    "deleteParticipant": lambda client, x: client.delete_participant(x),
    "getSession": lambda client, x: client.get_session(x),
    "deleteSession": lambda client, x: client.delete_session(x),
    "listSessionParticipants": lambda client, x: client.list_session_participants(x),
    "addParticipantToSession": lambda client, x: client.add_participant_to_session(MISSING, x),
    "removeParticipantFromSession": lambda client, x: client.remove_participant_from_session(
        x, MISSING
    ),
    "getParticipantSubscriptions": lambda client, x: client.get_participant_subscriptions(
        MISSING, x
    ),
    "updateParticipantSubscriptions": lambda client, x: client.update_participant_subscriptions(
        x, MISSING
    ),
}


@pytest.mark.parametrize("operation", CALLS)
def test_invalid_ids_are_rejected(plain: Sandbox, operation: str) -> None:
    bad: List[Any] = ["", ".", "..", "a\0b", "\udc80"]
    with plain.client() as client:
        for value in bad:
            with pytest.raises(InvalidArgumentError) as caught:
                CALLS[operation](client, value)
            assert caught.value.operation == operation
            assert re.match("(session|participant)(_id|Id): ", caught.value.message)
        for value in (None, 7, b"id", ["id"]):
            with pytest.raises(TypeError, match="_id must be a str, not"):
                CALLS[operation](client, value)
    assert plain.requests() == []


@pytest.mark.parametrize("operation", CALLS)
def test_ids_are_percent_encoded(plain: Sandbox, operation: str) -> None:
    with plain.client() as client:
        for value in ("x?y=1", "../..", "a/b", "a#b", "%2e", "caf\u00e9"):
            with pytest.raises(BwError) as caught:
                CALLS[operation](client, value)
            assert caught.value.http_status in (400, 404)
            (request,) = plain.requests()[-1:]
            assert quote(value, safe="") in request["path"].split("/")


@pytest.mark.parametrize("operation", CALLS)
def test_closed_client_is_reported(plain: Sandbox, operation: str) -> None:
    client = plain.client()
    client.close()
    with pytest.raises(InvalidHandleError) as caught:
        CALLS[operation](client, MISSING)
    assert caught.value.operation == operation


@pytest.mark.parametrize(
    ("subscriptions", "message"),
    [
        ({"sesionId": "s"}, "did you mean sessionId?"),
        ({"sessionId": 5}, r"subscriptions\.sessionId: must be a string"),
        ({"participants": {}}, r"subscriptions\.participants: must be an array"),
        ({"participants": [{}]}, r"subscriptions\.participants\[0\]\.participantId: is missing"),
        ({"participants": [{"participantId": ""}]}, r"\[0\]\.participantId: is empty"),
        (
            {"participants": [{"participantId": "p", "streamAliases": ["a", "a"]}]},
            r"streamAliases\[1\]",
        ),
        (Subscriptions(session_id=""), r"subscriptions\.sessionId"),
        (Subscriptions.to(""), r"participants\[0\]\.participantId: is empty"),
        ({"sessionId": float("nan")}, "subscriptions: "),
    ],
)
def test_invalid_subscriptions_are_rejected(
    plain: Sandbox, subscriptions: Mapping[str, Any], message: str
) -> None:
    with plain.client() as client:
        for call in (client.add_participant_to_session, client.update_participant_subscriptions):
            with pytest.raises(InvalidArgumentError, match=message) as caught:
                call(MISSING, MISSING, subscriptions)
            assert caught.value.outcome == "not_sent"
    assert plain.requests() == []


@pytest.mark.parametrize("subscriptions", [5, "s", ["p"], [("a", 1)]])
def test_subscriptions_of_wrong_type_are_a_type_error(plain: Sandbox, subscriptions: Any) -> None:
    with plain.client() as client, pytest.raises(TypeError, match="subscriptions must be"):
        client.add_participant_to_session(MISSING, MISSING, subscriptions)


def test_ids_are_accepted_as_participants_of_subscriptions() -> None:
    one = ParticipantSubscription("p", ("a",))
    for participants in (["q", one], ("q", one), iter(["q", one])):
        subscriptions = Subscriptions(participants=participants)  # type: ignore[arg-type]
        assert subscriptions.participants == (ParticipantSubscription("q"), one)
        assert subscriptions == Subscriptions(participants=(ParticipantSubscription("q"), one))
        assert len({subscriptions}) == 1
    aliases: Any = ["a", "b"]
    assert ParticipantSubscription("p", aliases).stream_aliases == ("a", "b")


WRONG_TYPES: List[Any] = [
    (Subscriptions, {"session_id": 5}, "session_id must be a str or None, not int"),
    (Subscriptions, {"session_id": Session("s")}, "session_id must be a str or None, not Session"),
    (Subscriptions, {"participants": "p-1"}, "participants must be an iterable of Participant"),
    (Subscriptions, {"participants": 5}, "participants must be an iterable of Participant"),
    (Subscriptions, {"participants": {"p": 1}}, "participants must be an iterable of Participant"),
    (
        Subscriptions,
        {"participants": ["p", Participant("q")]},
        r"participants\[1\] must be ParticipantSubscription or a participant's id, not Partici",
    ),
    (Subscriptions, {"participants": [None]}, r"participants\[0\] must be .*, not NoneType"),
    (ParticipantSubscription, {"participant_id": None}, "participant_id must be a str, not None"),
    (
        ParticipantSubscription,
        {"participant_id": "p", "stream_aliases": "camera"},
        "stream_aliases must be an iterable of str, not str",
    ),
    (
        ParticipantSubscription,
        {"participant_id": "p", "stream_aliases": [5]},
        r"stream_aliases\[0\] must be a str, not int",
    ),
]


@pytest.mark.parametrize(("make", "arguments", "message"), WRONG_TYPES)
def test_wrong_types_in_subscriptions_fail_in_the_constructor(
    make: Callable[..., object], arguments: Dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        make(**arguments)


def test_deeply_nested_request_is_rejected(plain: Sandbox) -> None:
    nested: List[Any] = []
    for _ in range(100_000):
        nested = [nested]
    with plain.client() as client:
        for call in (
            lambda: client.call({"operation": "createSession", "body": nested}),
            lambda: client.add_participant_to_session("s", "p", {"participants": nested}),
        ):
            with pytest.raises(InvalidArgumentError, match="is nested too deeply"):
                call()
    assert plain.requests() == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({}, InvalidArgumentError, r"call\.operation"),
        ({"operation": "createParticpant"}, InvalidArgumentError, "did you mean"),
        ({"operation": "getSession", "sessionId": 5}, InvalidArgumentError, r"call\.sessionId"),
        ({"operation": 5}, InvalidArgumentError, r"call\.operation: must be a string"),
        ({"operation": "getSession", "sessionId": {1}}, TypeError, "call: "),
        (None, TypeError, "call must be a mapping"),
        ('{"operation": "createSession"}', TypeError, "call must be a mapping"),
    ],
)
def test_invalid_call_documents_are_rejected(
    plain: Sandbox, call: Any, error: type, message: str
) -> None:
    with plain.client() as client, pytest.raises(error, match=message):
        client.call(call)
    assert plain.requests() == []


def test_unexpected_responses_are_accepted(plain: Sandbox) -> None:
    responses: List[Any] = [{}, {"id": None, "tag": 5}, {"id": "s", "participant_ids": ["p"]}]
    with plain.client() as client:
        for body in responses:
            plain.fault("getSession", "status", status=200, body=body)
            session = client.get_session(MISSING)
            assert session.raw == body
            assert session.id == (body.get("id") or "")
        plain.fault("listSessionParticipants", "status", status=204)
        assert client.list_session_participants(MISSING) == []
        plain.fault("getParticipantSubscriptions", "status", status=204)
        assert client.get_participant_subscriptions(MISSING, MISSING) == Subscriptions()
