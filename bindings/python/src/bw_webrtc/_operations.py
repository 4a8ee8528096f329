"""The service's operations: what each sends, and what becomes of its answer.

Not here: sending. A client of any kind carries out a ``Request``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import (
    Any,
    Callable,
    Dict,
    Generic,
    Iterable,
    List,
    Mapping,
    Optional,
    Tuple,
    TypeVar,
    Union,
)

from . import _arguments as arguments
from .models import (
    CreatedParticipant,
    Participant,
    Session,
    Subscriptions,
    participants_from_raw,
)

T = TypeVar("T")

SubscriptionsLike = Union[Subscriptions, Mapping[str, Any]]
"""Subscriptions, or the same in the service's own form."""


@dataclass(frozen=True)
class Request(Generic[T]):
    """One call of an operation."""

    operation: Optional[str]
    """The service's name of it; None if the library has to find out."""
    function: str
    """The library's function."""
    read: Callable[[Any], T]
    """Makes the result from the answer."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """The ids in its path, by the call document's names, in the function's order."""
    bodies: Tuple[Optional[str], ...] = ()
    """The JSON text that it sends, or None for none; empty if the operation takes none."""

    def document(self) -> str:
        """The whole call as one JSON text."""
        if self.function == "bw_call":
            return self.bodies[0] or ""
        members = {"operation": self.operation, **self.ids}
        parts = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in members.items()]
        parts += [f'"body":{body}' for body in self.bodies if body is not None]
        return "{" + ",".join(parts) + "}"


def create_participant(
    publish_permissions: Optional[Iterable[str]],
    tag: Optional[str],
    callback_url: Optional[str],
    device_api_version: Optional[str],
) -> Request[CreatedParticipant]:
    """Creates a participant."""
    operation = "createParticipant"
    body: Dict[str, Any] = {
        "tag": arguments.optional_text("tag", tag, operation),
        "callbackUrl": arguments.optional_text("callback_url", callback_url, operation),
        "deviceApiVersion": arguments.optional_text(
            "device_api_version", device_api_version, operation
        ),
    }
    if publish_permissions is not None:
        body["publishPermissions"] = arguments.texts(
            "publish_permissions", publish_permissions, operation
        )
    body = {key: value for key, value in body.items() if value is not None}
    text = arguments.to_json("request", body, operation)
    return _request(operation, CreatedParticipant.from_raw, text)


def get_participant(participant_id: str) -> Request[Participant]:
    """Reads a participant."""
    return _request("getParticipant", Participant.from_raw, participant_id=participant_id)


def delete_participant(participant_id: str) -> Request[None]:
    """Removes a participant."""
    return _request("deleteParticipant", _nothing, participant_id=participant_id)


def create_session(tag: Optional[str]) -> Request[Session]:
    """Creates a session."""
    operation = "createSession"
    tag = arguments.optional_text("tag", tag, operation)
    body = None if tag is None else arguments.to_json("request", {"tag": tag}, operation)
    return _request(operation, Session.from_raw, body)


def get_session(session_id: str) -> Request[Session]:
    """Reads a session."""
    return _request("getSession", Session.from_raw, session_id=session_id)


def delete_session(session_id: str) -> Request[None]:
    """Removes a session."""
    return _request("deleteSession", _nothing, session_id=session_id)


def list_session_participants(session_id: str) -> Request[List[Participant]]:
    """Lists the participants in a session."""
    return _request("listSessionParticipants", participants_from_raw, session_id=session_id)


def add_participant_to_session(
    session_id: str, participant_id: str, subscriptions: Optional[SubscriptionsLike]
) -> Request[None]:
    """Puts a participant into a session."""
    operation = "addParticipantToSession"
    body = _subscriptions(subscriptions, operation)
    return _request(operation, _nothing, body, session_id=session_id, participant_id=participant_id)


def remove_participant_from_session(session_id: str, participant_id: str) -> Request[None]:
    """Takes a participant out of a session."""
    return _request(
        "removeParticipantFromSession",
        _nothing,
        session_id=session_id,
        participant_id=participant_id,
    )


def get_participant_subscriptions(session_id: str, participant_id: str) -> Request[Subscriptions]:
    """Reads whom a participant hears."""
    return _request(
        "getParticipantSubscriptions",
        Subscriptions.from_raw,
        session_id=session_id,
        participant_id=participant_id,
    )


def update_participant_subscriptions(
    session_id: str, participant_id: str, subscriptions: Optional[SubscriptionsLike]
) -> Request[None]:
    """Changes whom a participant hears."""
    operation = "updateParticipantSubscriptions"
    body = _subscriptions(subscriptions, operation)
    return _request(operation, _nothing, body, session_id=session_id, participant_id=participant_id)


def call(document: Mapping[str, Any]) -> Request[Any]:
    """Any operation, the whole call being one document."""
    if not isinstance(document, Mapping):
        raise arguments.wrong_type("call", "a mapping", document)
    operation = document.get("operation")
    name = operation if isinstance(operation, str) else None
    return Request(name, "bw_call", _as_it_is, bodies=(arguments.to_json("call", document, name),))


def stats() -> Request[Any]:
    """What the client has done so far. No operation, but of the same form."""
    return Request(None, "bw_client_stats", _as_it_is)


_IDS = {"session_id": "sessionId", "participant_id": "participantId"}


def _request(
    operation: str, read: Callable[[Any], T], *bodies: Optional[str], **ids: object
) -> Request[T]:
    """A request, its ids in the order of the library's function, whose name is the operation's."""
    function = "bw_" + re.sub("([A-Z])", r"_\1", operation).lower()
    texts = {_IDS[name]: arguments.text(name, value, operation) for name, value in ids.items()}
    return Request(operation, function, read, texts, bodies)


def _subscriptions(value: Optional[SubscriptionsLike], operation: str) -> Optional[str]:
    """The body for subscriptions; None for none."""
    if value is None:
        return None
    if isinstance(value, Subscriptions):
        value = value.to_raw()
    if not isinstance(value, Mapping):
        raise arguments.wrong_type("subscriptions", "Subscriptions, a mapping or None", value)
    return arguments.to_json("subscriptions", value, operation)


def _nothing(_: object) -> None:
    return None


def _as_it_is(answer: Any) -> Any:
    return answer
