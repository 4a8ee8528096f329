"""The blocking client.

Not here: the forms of requests and answers (``_operations``, ``models``), and loading the library.
"""

from __future__ import annotations

import json
import weakref
from ctypes import byref, c_void_p
from types import TracebackType
from typing import Any, Iterable, NoReturn, Optional, Tuple, Type, TypeVar

from . import _arguments as arguments
from . import _config, _library, _operations
from .errors import InvalidHandleError, from_document, local
from .models import CreatedParticipant

T = TypeVar("T")


class Client:
    """A client of the service, for any number of threads at once.

    Make one and share it: it keeps connections and repeats what may safely be repeated. A call
    blocks the calling thread alone, for no longer than ``timeout``, and leaves the GIL to the
    others; Ctrl-C takes effect when the call has returned. It also works in children after
    ``os.fork``.

    Close it, use it in a ``with`` statement, or forget it: a client that is no longer referenced
    is freed. Nothing is connected before the first call.

    All times are in seconds. An option left None has the library's default:

    ``base_url``: where the service is (Bandwidth's).
    ``timeout``: for a whole call, retries, name look-up and TLS included (10).
    ``attempt_timeout``: for one attempt (what is left of the call).
    ``connect_timeout``: for name look-up, connection and TLS together (3).
    ``max_retries``: how many attempts may follow the first (2).
    ``retry_base``, ``retry_max``: the ceiling of the first back-off (0.1), and of any (2).
    ``roots``: the authorities to trust, ``"bundled"`` (the default) or ``"system"``.
    ``ca_file``: PEM file of the authorities to trust instead.
    ``client_cert_file``, ``client_key_file``: PEM files to show to the service.
    ``ip_family``: ``"any"`` (the default), ``"ipv4"`` or ``"ipv6"``.
    ``bind_address``: the local IP address to connect from.
    ``dns_ttl``: how long a name's addresses are remembered (30).
    ``max_idle_connections``, ``idle_timeout``: how many connections are kept (64), how long (15).
    ``max_response_bytes``: the longest answer that is read (1048576).
    ``user_agent``: appended to the User-Agent header.
    ``allow_insecure_http``: plain http to other hosts than this one (False).

    Raises ``ConfigError``, which names all that is wrong, and ``LibraryError``.
    """

    # None only where __init__ failed.
    _finalizer: Optional[weakref.finalize[Any, Any]] = None

    def __init__(
        self,
        account_id: str,
        username: str,
        password: str,
        *,
        base_url: Optional[str] = None,
        timeout: Optional[float] = None,
        attempt_timeout: Optional[float] = None,
        connect_timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        retry_base: Optional[float] = None,
        retry_max: Optional[float] = None,
        roots: Optional[str] = None,
        ca_file: Optional[arguments.PathLike] = None,
        client_cert_file: Optional[arguments.PathLike] = None,
        client_key_file: Optional[arguments.PathLike] = None,
        ip_family: Optional[str] = None,
        bind_address: Optional[str] = None,
        dns_ttl: Optional[float] = None,
        max_idle_connections: Optional[int] = None,
        idle_timeout: Optional[float] = None,
        max_response_bytes: Optional[int] = None,
        user_agent: Optional[str] = None,
        allow_insecure_http: Optional[bool] = None,
    ) -> None:
        options = {
            "account_id": account_id,
            "username": username,
            "password": password,
            "base_url": base_url,
            "timeout": timeout,
            "attempt_timeout": attempt_timeout,
            "connect_timeout": connect_timeout,
            "max_retries": max_retries,
            "retry_base": retry_base,
            "retry_max": retry_max,
            "roots": roots,
            "ca_file": ca_file,
            "client_cert_file": client_cert_file,
            "client_key_file": client_key_file,
            "ip_family": ip_family,
            "bind_address": bind_address,
            "dns_ttl": dns_ttl,
            "max_idle_connections": max_idle_connections,
            "idle_timeout": idle_timeout,
            "max_response_bytes": max_response_bytes,
            "user_agent": user_agent,
            "allow_insecure_http": allow_insecure_http,
        }
        self._open(_config.to_document(options))

    @classmethod
    def from_env(cls) -> Client:
        """A client for BW_ACCOUNT_ID, BW_USERNAME, BW_PASSWORD and, if set, BW_BASE_URL.

        They are read from the environment once, here. A set-uid process is refused that. Raises
        ``ConfigError``, which names what is not set, and ``LibraryError``.
        """
        client = cls.__new__(cls)
        client._open(None)
        return client

    def _open(self, config: Optional[str]) -> None:
        library = _library.load()
        handle, error = c_void_p(), c_void_p()
        status = library.function("bw_client_new")(
            None if config is None else config.encode(), byref(handle), byref(error)
        )
        document = library.take(error)
        if status:
            raise _failure(library, status, document)
        self._library = library
        self._handle = handle
        # Runs once, at close(), when the last reference goes, or at the interpreter's exit,
        # whichever is first; also in a forked child, where the library forgets what it inherited.
        self._finalizer = weakref.finalize(self, library.function("bw_client_free"), handle)

    def close(self) -> None:
        """Ends the client. Calls in flight on other threads end with ``CallCancelledError``.

        Does not wait for them. Closing twice is fine; using it afterwards raises
        ``InvalidHandleError``.
        """
        if self._finalizer is not None:
            self._finalizer()

    @property
    def closed(self) -> bool:
        """Whether the client is closed."""
        return self._finalizer is None or not self._finalizer.alive

    def __enter__(self) -> Client:
        self._check_open(None)
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<bw_webrtc.Client {'closed' if self.closed else 'open'} at {id(self):#x}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Client can be neither pickled nor copied: share it among threads and forked "
            "children, make one in other processes"
        )

    def set_credentials(self, username: str, password: str) -> None:
        """Changes the credentials, for every attempt that begins from now on.

        No call is dropped. Raises ``InvalidArgumentError``, and the old ones stay.
        """
        user = arguments.text("username", username).encode()
        secret = arguments.text("password", password).encode()
        self._check_open(None)
        error = c_void_p()
        status = self._library.function("bw_client_set_credentials")(
            self._handle, user, secret, byref(error)
        )
        document = self._library.take(error)
        if status:
            raise _failure(self._library, status, document)

    def create_participant(
        self,
        *,
        publish_permissions: Optional[Iterable[str]] = None,
        tag: Optional[str] = None,
        callback_url: Optional[str] = None,
        device_api_version: Optional[str] = None,
    ) -> CreatedParticipant:
        """Creates a participant, and gives it with the token for its device.

        ``publish_permissions``: of ``"AUDIO"`` and ``"VIDEO"``. ``tag``: at most 50 characters,
        sent back in webhooks. ``callback_url``: where webhooks go, an absolute URL.
        ``device_api_version``: ``"V3"``.

        Never repeated once it may have been done: where a failure's ``outcome`` is ``"unknown"``
        a participant may exist.
        """
        return self._run(
            _operations.create_participant(
                publish_permissions, tag, callback_url, device_api_version
            )
        )

    def _run(self, request: _operations.Request[T]) -> T:
        """Carries out a request, and waits for its answer."""
        texts: Tuple[Optional[bytes], ...] = tuple(
            None if text is None else text.encode() for text in request.ids + request.bodies
        )
        function = self._library.function(request.function)
        self._check_open(request.operation)
        out = c_void_p()
        status = function(self._handle, *texts, byref(out))
        document = self._library.take(out)
        if status:
            raise _failure(self._library, status, document)
        return request.read(json.loads(document) if document else None)

    def _check_open(self, operation: Optional[str]) -> None:
        # Only for a better message than the library's: a handle is a checked number there, so
        # that a close() between this line and the call is as harmless.
        if self.closed:
            raise local(
                InvalidHandleError, "BW_E_INVALID_HANDLE", "this client is closed", operation
            )


def _failure(library: _library.Library, status: int, document: Optional[bytes]) -> Exception:
    if document:
        return from_document(status, json.loads(document))
    # The one case without a document: there was no memory for it.
    name = library.status_name(status)
    return from_document(status, {"error": {"status": status, "name": name}})
