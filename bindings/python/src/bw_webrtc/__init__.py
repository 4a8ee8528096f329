"""Control Bandwidth's WebRTC services: participants, endpoints, tokens, sessions, subscriptions.

    from bw_webrtc import Client, Subscriptions

    with Client("9900000", client_id="..", client_secret="..") as client:
        created = client.create_participant(publish_permissions=["AUDIO"], tag="alice")
        session = client.create_session()
        client.add_participant_to_session(
            session.id, created.id, Subscriptions(session_id=session.id)
        )

Every failure raises a subclass of ``BwError``, whose ``outcome`` reports whether the service may
have processed the request. The package uses the shared library libbw_webrtc; ``python -m
bw_webrtc`` reports which one.
"""

from __future__ import annotations

from ._version import __version__
from .async_client import AsyncClient
from .client import Client
from .enums import Direction, EndpointStatus, Outcome, Permission
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
from .helpers import BxmlWarning, connect_bxml, parse_event, token_claims, transfer_bxml, uui
from .models import (
    CreatedEndpoint,
    CreatedParticipant,
    Device,
    Endpoint,
    EndpointPage,
    Event,
    LateObject,
    LateObjects,
    Participant,
    ParticipantSubscription,
    Reload,
    Session,
    Subscriptions,
    TokenClaims,
)

# The style of the docstrings, for pdoc.
__docformat__ = "google"

__all__ = [
    "AsyncClient",
    "BadRequestError",
    "BwError",
    "BxmlWarning",
    "CallCancelledError",
    "CallTimeoutError",
    "Client",
    "ConfigError",
    "ConflictError",
    "ConnectError",
    "CreatedEndpoint",
    "CreatedParticipant",
    "Device",
    "Direction",
    "Endpoint",
    "EndpointPage",
    "EndpointStatus",
    "Event",
    "ForbiddenError",
    "HttpStatusError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidHandleError",
    "LateObject",
    "LateObjects",
    "LibraryError",
    "NetworkError",
    "NoValueError",
    "NotFoundError",
    "Outcome",
    "Participant",
    "ParticipantSubscription",
    "Permission",
    "ProtocolError",
    "ProxyError",
    "QueueClosedError",
    "QueueEmptyError",
    "QueueFullError",
    "RateLimitedError",
    "Reload",
    "ResolveError",
    "ServerError",
    "ServiceError",
    "Session",
    "Subscriptions",
    "TlsError",
    "TokenClaims",
    "TransportError",
    "UnauthorizedError",
    "__version__",
    "connect_bxml",
    "parse_event",
    "token_claims",
    "transfer_bxml",
    "uui",
]
