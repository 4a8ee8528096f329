"""Control Bandwidth's WebRTC service: participants and their tokens.

    from bw_webrtc import Client

    with Client("9900000", "user", "password") as client:
        created = client.create_participant(publish_permissions=["AUDIO"], tag="alice")
        print(created.participant.id)

Whatever fails raises a subclass of ``BwError``, whose ``outcome`` tells whether the service may
have acted. The work is done by the shared library libbw_webrtc; ``python -m bw_webrtc`` tells
which one is used.
"""

from __future__ import annotations

from ._version import __version__
from .client import Client
from .errors import (
    BadRequestError,
    BwError,
    CallCancelledError,
    CallTimeoutError,
    ConfigError,
    ConflictError,
    ConnectError,
    ForbiddenError,
    HttpStatusError,
    InternalError,
    InvalidArgumentError,
    InvalidHandleError,
    LibraryError,
    NetworkError,
    NotFoundError,
    NoValueError,
    Outcome,
    ProtocolError,
    ProxyError,
    QueueClosedError,
    QueueEmptyError,
    QueueFullError,
    RateLimitedError,
    ResolveError,
    ServerError,
    ServiceError,
    TlsError,
    TransportError,
    UnauthorizedError,
)
from .models import CreatedParticipant, Participant, ParticipantSubscription, Subscriptions

__all__ = [
    "BadRequestError",
    "BwError",
    "CallCancelledError",
    "CallTimeoutError",
    "Client",
    "ConfigError",
    "ConflictError",
    "ConnectError",
    "CreatedParticipant",
    "ForbiddenError",
    "HttpStatusError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidHandleError",
    "LibraryError",
    "NetworkError",
    "NoValueError",
    "NotFoundError",
    "Outcome",
    "Participant",
    "ParticipantSubscription",
    "ProtocolError",
    "ProxyError",
    "QueueClosedError",
    "QueueEmptyError",
    "QueueFullError",
    "RateLimitedError",
    "ResolveError",
    "ServerError",
    "ServiceError",
    "Subscriptions",
    "TlsError",
    "TransportError",
    "UnauthorizedError",
    "__version__",
]
