"""The service's operations: what each sends, and what becomes of its answer.

Not here: sending. A client of any kind carries out a ``Request``.
"""

from __future__ import annotations

import re
from collections import abc
from typing import (
    Any,
    Callable,
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
    LateObject,
    LateObjects,
    Participant,
    Session,
    Subscriptions,
    participants_from_raw,
)

T = TypeVar("T")

SubscriptionsLike = Union[Subscriptions, Mapping[str, Any]]
"""Subscriptions, or the same in the service's own form."""


class Operation(Generic[T]):
    """What is the same for every call of an operation.

    ``name``: the service's name of it; None if the library has to find out.
    ``read``: makes the result from the answer.
    ``ids``: the ids in its path, by the call document's names, in the function's order.
    ``function``: the library's function; by itself the operation's name in snake case.
    """

    __slots__ = ("function", "ids", "name", "read")

    def __init__(
        self,
        name: Optional[str],
        read: Callable[[Any], T],
        *ids: str,
        function: Optional[str] = None,
    ) -> None:
        self.name = name
        self.read = read
        self.ids = ids
        self.function = function or "bw_" + re.sub("([A-Z])", r"_\1", name or "").lower()


class Request(Generic[T]):
    """One call of an operation.

    ``ids``: the ids in its path.
    ``bodies``: the JSON text that it sends, or None for none; empty if the operation takes none.
    """

    __slots__ = ("bodies", "ids", "operation")

    def __init__(
        self, operation: Operation[T], ids: Tuple[str, ...], *bodies: Optional[str]
    ) -> None:
        self.operation = operation
        self.ids = ids
        self.bodies = bodies

    def texts(self) -> List[Optional[bytes]]:
        """What the library's function takes beside the client."""
        texts = [None if body is None else body.encode() for body in self.bodies]
        return [*map(str.encode, self.ids), *texts] if self.ids else texts

    def document(self) -> bytes:
        """The whole call as one JSON text."""
        operation = self.operation
        if operation.function == "bw_call":
            return (self.bodies[0] or "").encode()
        text = f'{{"operation":"{operation.name}"'
        for key, value in zip(operation.ids, self.ids):
            text += f',"{key}":{arguments.ENCODER.encode(value)}'
        for body in self.bodies:
            if body is not None:
                text += f',"body":{body}'
        return f"{text}}}".encode()


def _nothing(_: object) -> None:
    return None


def _as_it_is(answer: Any) -> Any:
    return answer


_CREATE_PARTICIPANT = Operation("createParticipant", CreatedParticipant.from_raw)
_GET_PARTICIPANT = Operation("getParticipant", Participant.from_raw, "participantId")
_DELETE_PARTICIPANT = Operation("deleteParticipant", _nothing, "participantId")
_CREATE_SESSION = Operation("createSession", Session.from_raw)
_GET_SESSION = Operation("getSession", Session.from_raw, "sessionId")
_DELETE_SESSION = Operation("deleteSession", _nothing, "sessionId")
_LIST_SESSION_PARTICIPANTS = Operation(
    "listSessionParticipants", participants_from_raw, "sessionId"
)
_ADD_PARTICIPANT_TO_SESSION = Operation(
    "addParticipantToSession", _nothing, "sessionId", "participantId"
)
_REMOVE_PARTICIPANT_FROM_SESSION = Operation(
    "removeParticipantFromSession", _nothing, "sessionId", "participantId"
)
_GET_PARTICIPANT_SUBSCRIPTIONS = Operation(
    "getParticipantSubscriptions", Subscriptions.from_raw, "sessionId", "participantId"
)
_UPDATE_PARTICIPANT_SUBSCRIPTIONS = Operation(
    "updateParticipantSubscriptions", _nothing, "sessionId", "participantId"
)
# No operation, but of the same form.
_STATS = Operation(None, _as_it_is, function="bw_client_stats")
_TAKE_LATE = Operation(None, LateObjects.from_raw, function="bw_client_take_late")


def create_participant(
    publish_permissions: Optional[Iterable[str]],
    tag: Optional[str],
    callback_url: Optional[str],
    device_api_version: Optional[str],
) -> Request[CreatedParticipant]:
    """Creates a participant."""
    operation = _CREATE_PARTICIPANT.name
    # Of the ways to make this text joining it is by far the quickest.
    body = ""
    if tag is not None:
        body += ',"tag":' + arguments.quoted("tag", tag, operation)
    if callback_url is not None:
        body += ',"callbackUrl":' + arguments.quoted("callback_url", callback_url, operation)
    if device_api_version is not None:
        version = arguments.quoted("device_api_version", device_api_version, operation)
        body += ',"deviceApiVersion":' + version
    if publish_permissions is not None:
        permissions = arguments.quoted_list("publish_permissions", publish_permissions, operation)
        body += ',"publishPermissions":' + permissions
    return Request(_CREATE_PARTICIPANT, (), "{" + body[1:] + "}")


def get_participant(participant_id: str) -> Request[Participant]:
    """Reads a participant."""
    return _request(_GET_PARTICIPANT, (participant_id,))


def delete_participant(participant_id: str) -> Request[None]:
    """Removes a participant."""
    return _request(_DELETE_PARTICIPANT, (participant_id,))


def create_session(tag: Optional[str]) -> Request[Session]:
    """Creates a session."""
    if tag is None:
        return Request(_CREATE_SESSION, (), None)
    text = arguments.quoted("tag", tag, _CREATE_SESSION.name)
    return Request(_CREATE_SESSION, (), f'{{"tag":{text}}}')


def get_session(session_id: str) -> Request[Session]:
    """Reads a session."""
    return _request(_GET_SESSION, (session_id,))


def delete_session(session_id: str) -> Request[None]:
    """Removes a session."""
    return _request(_DELETE_SESSION, (session_id,))


def list_session_participants(session_id: str) -> Request[List[Participant]]:
    """Lists the participants in a session."""
    return _request(_LIST_SESSION_PARTICIPANTS, (session_id,))


def add_participant_to_session(
    session_id: str, participant_id: str, subscriptions: Optional[SubscriptionsLike]
) -> Request[None]:
    """Puts a participant into a session."""
    body = _body(subscriptions, _ADD_PARTICIPANT_TO_SESSION.name)
    return _request(_ADD_PARTICIPANT_TO_SESSION, (session_id, participant_id), body)


def remove_participant_from_session(session_id: str, participant_id: str) -> Request[None]:
    """Takes a participant out of a session."""
    return _request(_REMOVE_PARTICIPANT_FROM_SESSION, (session_id, participant_id))


def get_participant_subscriptions(session_id: str, participant_id: str) -> Request[Subscriptions]:
    """Reads whom a participant hears."""
    return _request(_GET_PARTICIPANT_SUBSCRIPTIONS, (session_id, participant_id))


def update_participant_subscriptions(
    session_id: str, participant_id: str, subscriptions: Optional[SubscriptionsLike]
) -> Request[None]:
    """Changes whom a participant hears."""
    body = _body(subscriptions, _UPDATE_PARTICIPANT_SUBSCRIPTIONS.name)
    return _request(_UPDATE_PARTICIPANT_SUBSCRIPTIONS, (session_id, participant_id), body)


def call(document: Mapping[str, Any]) -> Request[Any]:
    """Any operation, the whole call being one document."""
    if not isinstance(document, abc.Mapping):
        raise arguments.wrong_type("call", "a mapping", document)
    operation = document.get("operation")
    name = operation if isinstance(operation, str) else None
    text = arguments.to_json("call", document, name)
    return Request(Operation(name, _as_it_is, function="bw_call"), (), text)


def stats() -> Request[Any]:
    """What the client has done so far."""
    return Request(_STATS, ())


def take_late() -> Request[LateObjects]:
    """What calls of the client created and no caller received."""
    return Request(_TAKE_LATE, ())


def creates(operation: Operation[Any]) -> bool:
    """Whether an operation creates an object."""
    return operation.name in (_CREATE_PARTICIPANT.name, _CREATE_SESSION.name)


def created(operation: Operation[Any], response: Any) -> Optional[LateObject]:
    """What an operation has created, by its response; None if it creates nothing."""
    if not creates(operation):
        return None
    raw = response if isinstance(response, dict) else {}
    if operation.name == _CREATE_PARTICIPANT.name:
        found = CreatedParticipant.from_raw(raw).participant  # type: Union[Participant, Session]
    else:
        found = Session.from_raw(raw)
    return LateObject(operation.name or "", found.id, found.tag)


_ARGUMENTS = {"sessionId": "session_id", "participantId": "participant_id"}


def _request(
    operation: Operation[T], ids: Tuple[object, ...], *bodies: Optional[str]
) -> Request[T]:
    """A request with these ids, which are checked."""
    texts = [
        arguments.text(_ARGUMENTS[key], value, operation.name)
        for key, value in zip(operation.ids, ids)
    ]
    return Request(operation, tuple(texts), *bodies)


def _body(subscriptions: Optional[SubscriptionsLike], operation: Optional[str]) -> Optional[str]:
    """The body for subscriptions; None for none."""
    if subscriptions is None:
        return None
    if isinstance(subscriptions, Subscriptions):
        subscriptions = subscriptions.to_raw()
    if not isinstance(subscriptions, abc.Mapping):
        raise arguments.wrong_type(
            "subscriptions", "Subscriptions, a mapping or None", subscriptions
        )
    return arguments.to_json("subscriptions", subscriptions, operation)
