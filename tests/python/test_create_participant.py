"""createParticipant, over HTTP and HTTPS, and its result."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import pickle
from typing import Any, Callable, Dict, Iterable, List, cast

import pytest

from bw_webrtc import Client, CreatedParticipant, Participant, UnauthorizedError
from bw_webrtc.testing import Sandbox
from support import statuses


def test_all_fields_are_sent_and_returned(client: Client, sandbox: Sandbox) -> None:
    created = client.create_participant(
        publish_permissions=["VIDEO", "AUDIO"],
        tag='caf\u00e9 "\U0001f600"',
        callback_url="https://example.com/hook?a=b",
        device_api_version="V3",
    )
    assert isinstance(created, CreatedParticipant)
    participant = created.participant
    assert len(participant.id) == 36
    assert created.id == participant.id
    assert sorted(participant.publish_permissions) == ["AUDIO", "VIDEO"]
    assert participant.tag == 'caf\u00e9 "\U0001f600"'
    assert participant.callback_url == "https://example.com/hook?a=b"
    assert participant.device_api_version == "V3"
    assert participant.sessions == ()
    assert participant.subscriptions.session_id is None
    assert participant.subscriptions.participants == ()
    assert created.raw["participant"] == participant.raw
    assert created.raw["token"] == created.token

    (request,) = sandbox.requests("createParticipant")
    assert request["status"] == 200
    assert request["body"] == {
        "publishPermissions": ["VIDEO", "AUDIO"],
        "tag": 'caf\u00e9 "\U0001f600"',
        "callbackUrl": "https://example.com/hook?a=b",
        "deviceApiVersion": "V3",
    }


def test_token_is_for_the_participant(client: Client, sandbox: Sandbox) -> None:
    created = client.create_participant()
    payload = created.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["a"], claims["p"]) == (sandbox.account_id, created.id)


def test_omitted_fields_are_not_sent(client: Client, sandbox: Sandbox) -> None:
    client.create_participant()
    assert sandbox.requests()[0]["body"] == {}


@pytest.mark.parametrize(
    "permissions", [("AUDIO",), {"AUDIO"}, iter(["AUDIO"]), {"AUDIO": 1}.keys()]
)
def test_permissions_can_be_any_iterable(plain: Sandbox, permissions: Iterable[str]) -> None:
    with plain.client() as client:
        created = client.create_participant(publish_permissions=permissions)
    assert created.participant.publish_permissions == ("AUDIO",)


def test_empty_permissions_are_sent(plain: Sandbox) -> None:
    with plain.client() as client:
        client.create_participant(publish_permissions=[])
    assert plain.requests()[0]["body"] == {"publishPermissions": []}


def test_results_are_frozen_and_hashable(client: Client) -> None:
    created = client.create_participant(tag="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        created.participant.tag = "b"  # type: ignore[misc]
    again = CreatedParticipant.from_raw(created.raw)
    assert again == created
    assert len({again, created}) == 1
    assert cast(object, created) != created.participant


RAW: Dict[str, Any] = {"participant": {"id": "p", "tag": "a", "sessions": ["s"]}, "token": "t"}


@pytest.mark.parametrize(
    "use",
    [
        lambda created: created,
        copy.copy,
        copy.deepcopy,
        lambda created: pickle.loads(pickle.dumps(created)),
        lambda created: dataclasses.replace(created, token="t"),
    ],
    ids=["itself", "copy", "deepcopy", "pickle", "replace"],
)
@pytest.mark.parametrize("asked", [False, True])
def test_participant_is_created_on_first_use(
    use: Callable[[CreatedParticipant], CreatedParticipant], asked: bool
) -> None:
    # The participant exists from the start.
    whole = CreatedParticipant(Participant.from_raw(RAW["participant"]), "t", RAW)
    created = CreatedParticipant.from_raw(RAW)
    if asked:
        assert created.participant.tag == "a"
    used = use(created)
    assert used.id == "p"
    assert used == whole
    assert hash(used) == hash(whole)
    assert repr(used) == repr(whole)
    assert dataclasses.asdict(used) == dataclasses.asdict(whole)
    assert used.participant is used.participant
    assert used.id == "p"


def test_unknown_attribute_is_an_attribute_error() -> None:
    created: Any = CreatedParticipant.from_raw(RAW)
    with pytest.raises(AttributeError, match="'CreatedParticipant' object has no attribute 'tag'"):
        _ = created.tag
    with pytest.raises(dataclasses.FrozenInstanceError):
        created.participant = None
    little: List[Any] = [{}, {"participant": None}, {"participant": {"id": 5}}, []]
    for odd in little:
        assert CreatedParticipant.from_raw(odd).id == ""
        assert CreatedParticipant.from_raw(odd).participant.id == ""


def test_unexpected_fields_are_accepted() -> None:
    assert Participant.from_raw({}) == Participant(id="")
    assert Participant.from_raw(
        {
            "id": "p",
            "tag": None,
            "publishPermissions": None,
            "sessions": 7,
            "subscriptions": None,
            "callbackUrl": ["x"],
        }
    ) == Participant(id="p")
    odd = CreatedParticipant.from_raw(
        {"participant": {"id": "p", "novel": [1]}, "token": "t", "more": {}}
    )
    assert odd.participant.raw["novel"] == [1]
    assert odd.raw["more"] == {}
    subscribed = Participant.from_raw(
        {"subscriptions": {"participants": [{"participantId": "q", "streamAliases": ["s"]}, 3]}}
    ).subscriptions.participants
    assert [(s.participant_id, s.stream_aliases) for s in subscribed] == [("q", ("s",)), ("", ())]


def test_unknown_fields_reach_the_caller(plain: Sandbox) -> None:
    response = {"participant": {"id": "p-1", "participant_ids": ["x"]}, "token": "t", "new": 1}
    plain.fault("createParticipant", "status", status=200, body=response)
    with plain.client() as client:
        created = client.create_participant()
    assert created.raw == response
    assert created.participant.raw == {"id": "p-1", "participant_ids": ["x"]}


def test_white_space_around_a_response_is_accepted(plain: Sandbox) -> None:
    response = ' \r\n\t{"participant": {"id": "p-1"}, "token": "t"}\n '
    plain.fault("createParticipant", "status", status=200, body=response)
    with plain.client() as client:
        assert client.create_participant().id == "p-1"


def test_client_secret_is_rotated(client: Client, sandbox: Sandbox) -> None:
    client.create_participant()
    client.set_credentials(sandbox.client_id, "wrong")
    with pytest.raises(
        UnauthorizedError, match=r"^createParticipant: the token request was rej"
    ) as caught:
        client.create_participant()
    assert (caught.value.outcome, caught.value.attempts) == ("not_sent", 0)
    client.set_credentials(sandbox.client_id, sandbox.client_secret)
    client.create_participant()
    assert statuses(sandbox) == [200, 200]
    assert statuses(sandbox, "token") == [200, 401, 200]


def test_password_is_rotated(sandbox: Sandbox) -> None:
    with sandbox.client(username=sandbox.username) as client:
        client.create_participant()
        client.set_credentials(sandbox.username, "wrong")
        with pytest.raises(UnauthorizedError, match="username and password") as caught:
            client.create_participant()
        assert caught.value.body == {"message": "Unauthorized"}
        client.set_credentials(sandbox.username, sandbox.password)
        client.create_participant()
    assert statuses(sandbox) == [200, 401, 200]
    assert sandbox.requests("token") == []


def test_revoked_token_is_replaced(client: Client, sandbox: Sandbox) -> None:
    client.create_participant()
    sandbox.revoke_tokens()
    client.create_participant()
    assert statuses(sandbox) == [200, 401, 200]
    assert client.stats()["tokenRequests"] == len(sandbox.requests("token")) == 2
