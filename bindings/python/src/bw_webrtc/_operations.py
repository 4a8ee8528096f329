"""The service's operations: what each sends, and what becomes of its answer.

Not here: sending. A client of any kind carries out a ``Request``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Generic, Iterable, Optional, Tuple, TypeVar

from . import _arguments as arguments
from .models import CreatedParticipant

T = TypeVar("T")


@dataclass(frozen=True)
class Request(Generic[T]):
    """One call of an operation."""

    operation: str
    """The service's name of it."""
    function: str
    """The library's function."""
    read: Callable[[Any], T]
    """Makes the result from the answer."""
    ids: Tuple[str, ...] = ()
    """The ids in its path, in the function's order."""
    bodies: Tuple[Optional[str], ...] = ()
    """The JSON text that it sends, or None for none; empty if the operation takes none."""


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
    return Request(
        operation,
        "bw_create_participant",
        CreatedParticipant.from_raw,
        bodies=(arguments.to_json("request", body, operation),),
    )
