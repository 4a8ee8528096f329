"""What a client sends: an operation, and a request of it.

``_operations`` contains the operations and their requests. A client of either kind executes a
``Request``.
"""

from __future__ import annotations

import re
from collections import abc
from typing import Any, Callable, Generic, List, Mapping, Optional, Set, Tuple, TypeVar, Union

from . import _arguments as arguments
from .errors import InvalidArgumentError, ProtocolError, local
from .models import (
    Endpoint,
    EndpointPage,
    LateObject,
    LateObjects,
    Reload,
    Session,
    Subscriptions,
)

T = TypeVar("T")

SubscriptionsLike = Union[Subscriptions, Mapping[str, Any]]
"""Subscriptions, or the same in the service's own form."""


class Operation(Generic[T]):
    """What is the same for every call of an operation.

    Attributes:
        name: The service's name of it. None for a function that is not an operation.
        read: Converts the response to the result.
        ids: The ids in its path, in order: the name in a call document, and the argument's name.
        document: The name of the request document in a call document; None if there is none.
        argument: The argument that is the whole request document, if its name differs.
        creates: Whether every call creates a new object.
        function: The library's function.
    """

    __slots__ = ("argument", "creates", "document", "function", "ids", "name", "read")

    def __init__(
        self,
        name: Optional[str],
        read: Callable[[Any], T],
        *ids: str,
        document: Optional[str] = None,
        argument: str = "",
        creates: bool = False,
        function: Optional[str] = None,
    ) -> None:
        self.name = name
        self.read = read
        self.ids = {key: _snake_case(key) for key in ids}
        self.document = document
        self.argument = argument
        self.creates = creates
        self.function = function or f"bw_{_snake_case(name or '')}"


class Request(Generic[T]):
    """One call of an operation.

    Attributes:
        operation: The operation.
        ids: The ids in its path.
        body: The request document as text (JSON or BXML); None for the operation's default.
    """

    __slots__ = ("body", "ids", "operation")

    def __init__(
        self, operation: Operation[T], ids: Tuple[str, ...] = (), body: Optional[str] = None
    ) -> None:
        self.operation = operation
        self.ids = ids
        self.body = body

    def texts(self) -> List[Optional[bytes]]:
        """The arguments of the library's function between the client and the result."""
        texts: List[Optional[bytes]] = [*map(str.encode, self.ids)] if self.ids else []
        if self.operation.document is not None:
            texts.append(None if self.body is None else self.body.encode())
        return texts

    def document(self, timeout: Optional[float] = None) -> bytes:
        """The whole call as one JSON text. ``timeout`` replaces that of the client."""
        operation = self.operation
        if operation.function == CALL:
            return (self.body or "").encode()
        text = f'{{"operation":"{operation.name}"'
        for key, value in zip(operation.ids, self.ids):
            text += f',"{key}":{arguments.ENCODER.encode(value)}'
        if self.body is not None:
            body = (
                self.body if operation.document != "bxml" else arguments.ENCODER.encode(self.body)
            )
            text += f',"{operation.document}":{body}'
        if timeout is not None:
            text += f',"timeoutMs":{_milliseconds(timeout, operation.name)}'
        return f"{text}}}".encode()


def no_result(_: object) -> None:
    """The result of an operation without one."""


def list_of(read: Callable[[Any], T]) -> Callable[[Any], List[T]]:
    """Converts a response that is an array."""

    def read_all(response: Any) -> List[T]:
        return [read(item) for item in response] if isinstance(response, list) else []

    return read_all


def _unchanged(response: Any) -> Any:
    return response


# The library's own limits.
_MAX_CURSOR = 8192
_MAX_TIMEOUT = 86400

CALL = "bw_call"
STATS = Request(Operation(None, _unchanged, function="bw_client_stats"))
RELOAD = Request(Operation(None, Reload.from_raw, function="bw_client_reload"))
TAKE_LATE = Request(Operation(None, LateObjects.from_raw, function="bw_client_take_late"))


def _milliseconds(timeout: object, operation: Optional[str]) -> int:
    limit = arguments.milliseconds("timeout", timeout, operation, error=InvalidArgumentError)
    if not 1 <= limit <= _MAX_TIMEOUT * 1000:
        message = f"timeout: must be a number of seconds from 0.001 to {_MAX_TIMEOUT}"
        raise arguments.invalid(message, operation)
    return limit


def call(document: Mapping[str, Any], timeout: Optional[float] = None) -> Request[Any]:
    """The request of any operation, given as one document."""
    if not isinstance(document, abc.Mapping):
        raise arguments.wrong_type("call", "a mapping", document)
    operation = document.get("operation")
    name = operation if isinstance(operation, str) else None
    if timeout is not None:
        document = {**document, "timeoutMs": _milliseconds(timeout, name)}
    body = arguments.to_json("call", document, name)
    return Request(Operation(name, _unchanged, document="call", function=CALL), (), body)


def created(operation: Operation[Any], response: Any) -> LateObject:
    """The object that an operation created, from the operation's response."""
    raw = response if isinstance(response, dict) else {}
    if operation.name == "createEndpoint":
        endpoint = Endpoint.from_raw(raw)
        return LateObject(operation.name, endpoint.id, endpoint.tag)
    # {"participant": .., "token": ..}, or a session; both have an id and a tag.
    found = Session.from_raw(raw.get("participant", raw))
    return LateObject(operation.name or "", found.id, found.tag)


def next_cursor(page: EndpointPage, earlier: Set[str]) -> Optional[str]:
    """The cursor of the page after this one; None for the last page.

    Raises:
        ProtocolError: An earlier page had the same cursor, so that there would be no end. Or the
            cursor does not fit into a request.
    """
    cursor = page.next_cursor
    if cursor is not None:
        if len(cursor) > _MAX_CURSOR:
            length = f"{len(cursor)} characters; at most {_MAX_CURSOR} are allowed"
            message = f"the service returned a page cursor of {length}"
            raise local(ProtocolError, message, "listEndpoints")
        if cursor in earlier:
            message = "the service returned the same page cursor twice"
            raise local(ProtocolError, message, "listEndpoints")
        earlier.add(cursor)
    return cursor


def checked_ids(operation: Operation[Any], *ids: object) -> Tuple[str, ...]:
    """The ids of a request, checked."""
    named = zip(operation.ids.values(), ids)
    return tuple([arguments.text(name, value, operation.name) for name, value in named])


def subscriptions_document(
    operation: Operation[Any], subscriptions: Optional[SubscriptionsLike]
) -> Optional[str]:
    """The document of subscriptions as JSON text; None if there are none."""
    if subscriptions is None:
        return None
    if isinstance(subscriptions, Subscriptions):
        subscriptions = subscriptions.to_raw()
    if not isinstance(subscriptions, abc.Mapping):
        raise arguments.wrong_type(
            "subscriptions", "Subscriptions, a mapping or None", subscriptions
        )
    return arguments.to_json("subscriptions", subscriptions, operation.name)


def xml_document(operation: Operation[Any], document: object) -> str:
    """A BXML document."""
    return arguments.text("bxml", document, operation.name)


def _snake_case(name: str) -> str:
    return re.sub("([A-Z])", r"_\1", name).lower()
