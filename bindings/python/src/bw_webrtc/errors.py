"""The exceptions: one class for each status of the library, under one base.

Not here: deciding that something failed. That is the library's.
"""

from __future__ import annotations

import builtins
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple, Type


class Outcome:
    """What ``BwError.outcome`` can be: whether the service may have acted on a failed call."""

    NOT_SENT = "not_sent"
    """Nothing reached the service: safe to repeat."""
    REJECTED = "rejected"
    """The service answered and did nothing."""
    UNKNOWN = "unknown"
    """The request went out and no usable answer came: it may have been done."""


class LibraryError(ImportError):
    """The shared library is not found, cannot be loaded, or does not fit this package."""


class BwError(Exception):
    """A call failed. Catch a subclass to handle one kind of failure.

    ``status``: the number of the library's status, as in the C header.
    ``name``: that status's name, such as ``"BW_E_TIMEOUT"``.
    ``message``: what was wrong and what to do; never holds a secret.
    ``operation``: the service's operation, such as ``"createParticipant"``.
    ``outcome``: one of ``Outcome``, or None where no service is involved.
    ``attempts``: how many requests were tried.
    ``http_status``: the service's answer, where one came.
    ``request_id``: the service's id of the request, for its support.
    ``retry_after``: how long the service asks to wait, in seconds.
    ``body``: the body of the service's answer, as Python objects, or a str if it was not JSON.
    ``document``: the library's whole error document.
    """

    STATUS: ClassVar[Optional[int]] = None

    def __init__(self, document: Mapping[str, Any]) -> None:
        error = document.get("error")
        if not isinstance(error, dict):
            error = {}
        self.document: Dict[str, Any] = dict(document)
        self.status: int = error.get("status") or 0
        self.name: str = error.get("name") or "BW_E_UNKNOWN"
        self.message: str = error.get("message") or "no reason was given"
        self.operation: Optional[str] = error.get("operation")
        self.outcome: Optional[str] = error.get("outcome")
        self.attempts: int = error.get("attempts") or 0
        self.http_status: Optional[int] = error.get("httpStatus")
        self.request_id: Optional[str] = error.get("requestId")
        wait = error.get("retryAfterMs")
        self.retry_after: Optional[float] = None if wait is None else wait / 1000
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
        # Exception's own would hand the message to __init__, which takes the document.
        return type(self), (self.document,)


class TransportError(BwError):
    """No usable answer came from the service: network, TLS, time or protocol."""


class ServiceError(BwError):
    """The service, or a gateway before it, answered with an HTTP status that is no success."""


class InvalidArgumentError(BwError, ValueError):
    """An argument is wrong; the message names the field. Nothing was sent."""

    STATUS = 1


class InvalidHandleError(BwError):
    """The client is closed."""

    STATUS = 2


class ConfigError(BwError, ValueError):
    """The configuration is wrong; the message names every key that is."""

    STATUS = 3


class NoValueError(BwError, LookupError):
    """There is nothing, or null, at the place asked for."""

    STATUS = 4


class ResolveError(TransportError):
    """The service's name could not be resolved."""

    STATUS = 10


class ConnectError(TransportError):
    """No connection could be made."""

    STATUS = 11


class TlsError(TransportError):
    """TLS failed: the certificate or the handshake."""

    STATUS = 12


class CallTimeoutError(TransportError, builtins.TimeoutError):
    """The time ran out; the message names the phase. Also a built-in ``TimeoutError``."""

    STATUS = 13


class NetworkError(TransportError):
    """The connection was lost."""

    STATUS = 14


class ProtocolError(TransportError):
    """The answer is not what the service sends: cut, too large, not JSON, not HTTP."""

    STATUS = 15


class ProxyError(TransportError):
    """The proxy failed or refused."""

    STATUS = 16


class BadRequestError(ServiceError):
    """HTTP 400: the service found the request wrong."""

    STATUS = 20


class UnauthorizedError(ServiceError):
    """HTTP 401: username or password is wrong."""

    STATUS = 21


class ForbiddenError(ServiceError):
    """HTTP 403: not this account's, or no such route."""

    STATUS = 22


class NotFoundError(ServiceError):
    """HTTP 404: no such participant or session."""

    STATUS = 23


class ConflictError(ServiceError):
    """HTTP 409: the participant cannot be added to the session."""

    STATUS = 24


class RateLimitedError(ServiceError):
    """HTTP 429: too many requests; ``BwError.retry_after`` may tell how long to wait."""

    STATUS = 25


class ServerError(ServiceError):
    """HTTP 5xx: the service or a gateway failed."""

    STATUS = 26


class HttpStatusError(ServiceError):
    """Any other HTTP status."""

    STATUS = 27


class CallCancelledError(BwError):
    """The client was closed, or the call cancelled, while it ran."""

    STATUS = 30


class QueueFullError(BwError):
    """Too many calls are waiting already."""

    STATUS = 31


class QueueEmptyError(BwError):
    """Nothing waits in the queue."""

    STATUS = 32


class QueueClosedError(BwError):
    """The queue is closed."""

    STATUS = 33


class InternalError(BwError):
    """A fault of the library itself; please report the message."""

    STATUS = 40


def _by_status(base: Type[BwError]) -> Dict[int, Type[BwError]]:
    found: Dict[int, Type[BwError]] = {}
    rest: List[Type[BwError]] = [base]
    while rest:
        cls = rest.pop()
        rest.extend(cls.__subclasses__())
        if cls.STATUS is not None:
            found[cls.STATUS] = cls
    return found


_CLASSES = _by_status(BwError)


def from_document(status: int, document: Mapping[str, Any]) -> BwError:
    """The exception for a status and its document; a BwError for one of later versions."""
    return _CLASSES.get(status, BwError)(document)


def local(cls: Type[BwError], name: str, message: str, operation: Optional[str] = None) -> BwError:
    """The exception for what this package refused itself, with the document the library gives."""
    return cls(
        {
            "error": {
                "status": cls.STATUS,
                "name": name,
                "message": message,
                "operation": operation,
                "outcome": None if operation is None else Outcome.NOT_SENT,
                "attempts": 0,
                "httpStatus": None,
                "requestId": None,
                "retryAfterMs": None,
                "body": None,
            }
        }
    )
