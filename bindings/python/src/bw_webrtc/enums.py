"""The values of arguments and fields that have a fixed set of them.

Each member is also a str, and equal to it: ``Permission.AUDIO == "AUDIO"``. The service may return
values that this version does not know, so that fields contain a str.
"""

from __future__ import annotations

from enum import Enum


class _Text(str, Enum):
    # The text of a member would otherwise depend on Python's version.
    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, format_spec: str) -> str:
        return str.__format__(self, format_spec)


class Permission(_Text):
    """What a participant may publish (WebRTC v1)."""

    AUDIO = "AUDIO"
    VIDEO = "VIDEO"


class Direction(_Text):
    """The calls that an endpoint takes part in (BRTC)."""

    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"
    BIDIRECTIONAL = "BIDIRECTIONAL"


class EndpointStatus(_Text):
    """Whether a device of an endpoint is connected (BRTC)."""

    CONNECTED = "CONNECTED"
    DISCONNECTED = "DISCONNECTED"


class Outcome(_Text):
    """The values of ``BwError.outcome``: whether the service may have processed a failed call."""

    NOT_SENT = "not_sent"
    """The service received nothing: it is safe to repeat the call."""
    REJECTED = "rejected"
    """The service responded and did nothing."""
    UNKNOWN = "unknown"
    """The request was sent and no usable response was received: it may have been processed."""
