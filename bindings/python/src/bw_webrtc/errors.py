"""The exceptions: one class for each status of the library, and their base classes."""

from __future__ import annotations

import builtins
from collections import abc
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple, Type, Union

from .enums import Outcome

_OUTCOMES: Dict[Any, str] = {outcome.value: outcome for outcome in Outcome}


class LibraryError(ImportError):
    """The shared library is not found, cannot be loaded, or is incompatible with this package."""


class BwError(Exception):
    """A call failed. Catch a subclass to handle one kind of failure.

    For a test double, create an exception from a message and, if needed, the attributes below:
    ``NotFoundError("deleted")``, ``CallTimeoutError("lost", outcome=Outcome.UNKNOWN)``.

    Attributes:
        status: The number of the library's status, as in the C header.
        name: The name of that status, such as ``"BW_E_TIMEOUT"``.
        message: What was wrong and what to do; it never contains a secret.
        operation: The service's operation, such as ``"createParticipant"``.
        outcome: An ``Outcome``, or None if the service was not involved.
        attempts: The number of attempts.
        http_status: The HTTP status of the response, if there was one.
        request_id: The service's id of the request, for Bandwidth's support.
        retry_after: How long the service asks to wait, in seconds.
        body: The body of the response, as Python objects, or a str if it was not JSON.
        document: The library's whole error document.
    """

    STATUS: ClassVar[Optional[int]] = None
    NAME: ClassVar[str] = "BW_E_UNKNOWN"

    def __init__(
        self,
        message: Union[str, Mapping[str, Any]] = "no reason was given",
        *,
        operation: Optional[str] = None,
        outcome: Optional[str] = None,
        attempts: int = 0,
        http_status: Optional[int] = None,
        request_id: Optional[str] = None,
        retry_after: Optional[float] = None,
        body: Any = None,
    ) -> None:
        # A mapping is a whole error document.
        if isinstance(message, abc.Mapping):
            self.document: Dict[str, Any] = dict(message)
        else:
            wait = None if retry_after is None else round(retry_after * 1000)
            self.document = {
                "error": {
                    "status": self.STATUS,
                    "name": self.NAME,
                    "message": message,
                    "operation": operation,
                    "outcome": outcome,
                    "attempts": attempts,
                    "httpStatus": http_status,
                    "requestId": request_id,
                    "retryAfterMs": wait,
                    "body": body,
                }
            }
        error = self.document.get("error")
        if not isinstance(error, dict):
            error = {}
        self.status: int = error.get("status") or self.STATUS or 0
        self.name: str = error.get("name") or self.NAME
        self.message: str = error.get("message") or "no reason was given"
        self.operation: Optional[str] = error.get("operation")
        outcome = error.get("outcome")
        self.outcome: Optional[str] = _OUTCOMES.get(outcome, outcome)
        self.attempts: int = error.get("attempts") or 0
        self.http_status: Optional[int] = error.get("httpStatus")
        self.request_id: Optional[str] = error.get("requestId")
        milliseconds = error.get("retryAfterMs")
        self.retry_after: Optional[float] = None if milliseconds is None else milliseconds / 1000
        self.body: Any = error.get("body")
        super().__init__(self.message)

    def __str__(self) -> str:
        details = [self.name]
        if self.outcome is not None:
            details.append(f"outcome {self.outcome}")
        if self.attempts:
            details.append("1 attempt" if self.attempts == 1 else f"{self.attempts} attempts")
        if self.retry_after is not None:
            details.append(f"retry after {self.retry_after:g} s")
        if self.request_id is not None:
            details.append(f"request id {self.request_id}")
        what = self.message if self.operation is None else f"{self.operation}: {self.message}"
        return f"{what} [{', '.join(details)}]"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.document,)


class TransportError(BwError):
    """No usable response was received, because of the network, TLS, a timeout or the protocol."""


class ServiceError(BwError):
    """The service, or a gateway in front of it, responded with an HTTP error status."""


class InvalidArgumentError(BwError, ValueError):
    """An argument is invalid; the message names the field. Nothing was sent."""

    STATUS = 1
    NAME = "BW_E_INVALID_ARGUMENT"


class InvalidHandleError(BwError):
    """The client is closed."""

    STATUS = 2
    NAME = "BW_E_INVALID_HANDLE"


class ConfigError(BwError, ValueError):
    """The configuration is invalid; the message names every invalid key."""

    STATUS = 3
    NAME = "BW_E_CONFIG"


class NoValueError(BwError, LookupError):
    """The value is missing or null."""

    STATUS = 4
    NAME = "BW_E_NO_VALUE"


class ResolveError(TransportError):
    """The service's name could not be resolved."""

    STATUS = 10
    NAME = "BW_E_RESOLVE"


class ConnectError(TransportError):
    """No connection could be made."""

    STATUS = 11
    NAME = "BW_E_CONNECT"


class TlsError(TransportError):
    """TLS failed: the certificate or the handshake."""

    STATUS = 12
    NAME = "BW_E_TLS"


class CallTimeoutError(TransportError, builtins.TimeoutError):
    """The deadline passed; the message names the phase. Also a built-in ``TimeoutError``."""

    STATUS = 13
    NAME = "BW_E_TIMEOUT"


class NetworkError(TransportError):
    """The connection was lost."""

    STATUS = 14
    NAME = "BW_E_NETWORK"


class ProtocolError(TransportError):
    """The response is invalid: truncated, too large, not JSON or not HTTP."""

    STATUS = 15
    NAME = "BW_E_PROTOCOL"


class ProxyError(TransportError):
    """The proxy failed or rejected the request."""

    STATUS = 16
    NAME = "BW_E_PROXY"


class BadRequestError(ServiceError):
    """HTTP 400: the service rejected the request as invalid."""

    STATUS = 20
    NAME = "BW_E_BAD_REQUEST"


class UnauthorizedError(ServiceError):
    """HTTP 401: the credentials are wrong, or have no access to the account."""

    STATUS = 21
    NAME = "BW_E_UNAUTHORIZED"


class ForbiddenError(ServiceError):
    """HTTP 403: the credentials have no role for WebRTC or no access to the account.

    Or there is no such route: ``base_url`` may be wrong.
    """

    STATUS = 22
    NAME = "BW_E_FORBIDDEN"


class NotFoundError(ServiceError):
    """HTTP 404: no such participant or session."""

    STATUS = 23
    NAME = "BW_E_NOT_FOUND"


class ConflictError(ServiceError):
    """HTTP 409: the participant is already in a session, or the session is full."""

    STATUS = 24
    NAME = "BW_E_CONFLICT"


class RateLimitedError(ServiceError):
    """HTTP 429: too many requests; ``BwError.retry_after`` may state how long to wait."""

    STATUS = 25
    NAME = "BW_E_RATE_LIMITED"


class ServerError(ServiceError):
    """HTTP 5xx: the service or a gateway failed."""

    STATUS = 26
    NAME = "BW_E_SERVER"


class HttpStatusError(ServiceError):
    """Any other HTTP status."""

    STATUS = 27
    NAME = "BW_E_HTTP_STATUS"


class CallCancelledError(BwError):
    """The client was closed, or the call was cancelled, during the call."""

    STATUS = 30
    NAME = "BW_E_CANCELLED"


class QueueFullError(BwError):
    """The queue's backlog is full."""

    STATUS = 31
    NAME = "BW_E_QUEUE_FULL"


class QueueEmptyError(BwError):
    """No completion is available."""

    STATUS = 32
    NAME = "BW_E_EMPTY"


class QueueClosedError(BwError):
    """The queue is closed."""

    STATUS = 33
    NAME = "BW_E_CLOSED"


class InternalError(BwError):
    """The library itself failed; please report the message."""

    STATUS = 40
    NAME = "BW_E_INTERNAL"


def _by_status(base: Type[BwError]) -> Dict[int, Type[BwError]]:
    found: Dict[int, Type[BwError]] = {}
    remaining: List[Type[BwError]] = [base]
    while remaining:
        cls = remaining.pop()
        remaining.extend(cls.__subclasses__())
        if cls.STATUS is not None:
            found[cls.STATUS] = cls
    return found


_CLASSES = _by_status(BwError)


def from_document(status: int, document: Mapping[str, Any]) -> BwError:
    """The exception for a status and its document; a BwError for a status of a later version."""
    return _CLASSES.get(status, BwError)(document)


def local(cls: Type[BwError], message: str, operation: Optional[str] = None) -> BwError:
    """The exception for an argument that this package itself rejects."""
    return cls(
        message,
        operation=operation,
        outcome=None if operation is None else Outcome.NOT_SENT,
    )
