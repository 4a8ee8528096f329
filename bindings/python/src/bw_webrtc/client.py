"""The blocking client.

Not here: the forms of requests and answers (``_operations``, ``models``), and loading the library.
"""

from __future__ import annotations

import contextlib
import logging
import weakref
from ctypes import c_void_p
from types import TracebackType
from typing import (
    Any,
    Dict,
    Iterable,
    List,
    Mapping,
    NoReturn,
    Optional,
    Type,
    TypeVar,
    Union,
)

from . import _arguments as arguments
from . import _config, _library, _log, _operations
from .errors import BwError, InvalidHandleError, LibraryError, local
from .models import CreatedParticipant, Participant, Session, Subscriptions

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
    ``proxy``: ``"http://user:password@host:port"``, for CONNECT, or ``"socks5://.."`` (none).
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

    # None only where __init__ failed. In a comment, since it is no type when the program runs.
    _finalizer = None  # type: Optional[weakref.finalize[Any, Any]]

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
        proxy: Optional[str] = None,
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
            "proxy": proxy,
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
        handle = c_void_p()
        text = None if config is None else config.encode()
        library.call("bw_client_new", text, handle)
        self._library = library
        self._handle = handle
        self._log = _log.Log()
        # What the list of late objects was at close(), if the client is closed.
        self._late: List[Optional[bytes]] = []
        # Runs once, at close(), when the last reference goes, or at the interpreter's exit,
        # whichever is first; also in a forked child, where the library forgets what it inherited.
        self._finalizer = weakref.finalize(self, _end, library, handle, self._log, self._late)

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
        self._check_open()
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
        self._check_open()
        self._library.call("bw_client_set_credentials", self._handle, user, secret)

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

    def get_participant(self, participant_id: str) -> Participant:
        """Reads a participant. Raises ``NotFoundError`` if it is gone."""
        return self._run(_operations.get_participant(participant_id))

    def delete_participant(self, participant_id: str) -> None:
        """Removes a participant, out of its session too.

        Raises ``NotFoundError`` where there is none; one whose media was lost is gone already.
        """
        self._run(_operations.delete_participant(participant_id))

    def create_session(self, *, tag: Optional[str] = None) -> Session:
        """Creates a session. ``tag``: at most 50 characters.

        Never repeated once it may have been done, as ``create_participant``.
        """
        return self._run(_operations.create_session(tag))

    def get_session(self, session_id: str) -> Session:
        """Reads a session. Raises ``NotFoundError`` if it is gone."""
        return self._run(_operations.get_session(session_id))

    def delete_session(self, session_id: str) -> None:
        """Removes a session; its participants stay. Raises ``NotFoundError`` if it is gone."""
        self._run(_operations.delete_session(session_id))

    def list_session_participants(self, session_id: str) -> List[Participant]:
        """Lists the participants in a session."""
        return self._run(_operations.list_session_participants(session_id))

    def add_participant_to_session(
        self,
        session_id: str,
        participant_id: str,
        subscriptions: Optional[_operations.SubscriptionsLike] = None,
    ) -> None:
        """Puts a participant into a session.

        ``subscriptions``: whom it hears there: ``Subscriptions(session_id=session_id)`` everyone,
        later joiners included, ``Subscriptions.to(other_id)`` those, None nobody. A mapping in the
        service's own form is taken too.

        Raises ``ConflictError`` where it is in a session already, or the session is full.
        """
        self._run(_operations.add_participant_to_session(session_id, participant_id, subscriptions))

    def remove_participant_from_session(self, session_id: str, participant_id: str) -> None:
        """Takes a participant out of a session. Raises ``NotFoundError`` if it is not in it."""
        self._run(_operations.remove_participant_from_session(session_id, participant_id))

    def get_participant_subscriptions(self, session_id: str, participant_id: str) -> Subscriptions:
        """Reads whom a participant hears in a session."""
        return self._run(_operations.get_participant_subscriptions(session_id, participant_id))

    def update_participant_subscriptions(
        self,
        session_id: str,
        participant_id: str,
        subscriptions: Optional[_operations.SubscriptionsLike] = None,
    ) -> None:
        """Changes whom a participant hears in a session; as in ``add_participant_to_session``.

        They take the place of what was ordered before: None means nobody any more.
        """
        self._run(
            _operations.update_participant_subscriptions(session_id, participant_id, subscriptions)
        )

    def call(self, document: Mapping[str, Any]) -> Any:
        """Carries out any operation, the whole call being one mapping.

        ``{"operation": "addParticipantToSession", "sessionId": .., "participantId": .., "body":
        {..}, "timeoutMs": 500}``: the operation by its name at the service, with its ids, its body
        and, if wished, a time-out for this call alone. Gives the service's answer as Python
        objects.
        """
        return self._run(_operations.call(document))

    def stats(self) -> Dict[str, Any]:
        """What this client has done so far: calls, attempts, statuses, connections, times.

        As ``bw_client_stats`` gives it: ``calls``, ``attempts``, ``retries``, ``inFlight``,
        ``statuses``, ``connectionsOpened``, ``connectionsReused``, and ``operations`` with the
        same for each and ``times``, a histogram in powers of two of microseconds.
        """
        stats: Dict[str, Any] = self._run(_operations.stats())
        return stats

    def take_late(self) -> Dict[str, Any]:
        """Takes the list of what calls of this client created and no caller received.

        ``{"late": [{"operation": "createParticipant", "id": .., "tag": .., "userData": ..}, ..],
        "dropped": 0}``, the oldest first, as ``bw_client_take_late`` gives it: mostly what came of
        create requests that were cancelled while they ran. At most 1024 are kept; ``dropped``
        counts the others. The list is empty afterwards. After ``close()`` it contains what was in
        it then.
        """
        if not self.closed:
            late: Dict[str, Any] = self._run(_operations.take_late())
            return late
        kept = self._late.pop() if self._late else None
        return self._library.read(kept) if kept else {"late": [], "dropped": 0}

    def set_log(
        self, level: Optional[int], logger: Union[str, logging.Logger] = "bw_webrtc"
    ) -> None:
        """Sends lines about what this client does to a logger; off at first.

        ``level``: how much the library hands over, as in ``logging``: from ``logging.ERROR``
        (calls that failed) over ``WARNING`` (also attempts that are repeated) and ``INFO`` (also
        calls that succeeded) to ``DEBUG`` (also every attempt); None turns it off. The logger's
        own level applies too. No secret is in a line. Its handlers run on the threads that call,
        and must not use this package.
        """
        self._check_open()
        self._log.set(self._library, self._handle, level, logger)

    def _run(self, request: _operations.Request[T]) -> T:
        """Carries out a request, and waits for its answer."""
        operation, library = request.operation, self._library
        try:
            document = library.call(operation.function, self._handle, *request.texts())
        except InvalidHandleError as error:
            # Asked only now: the library checks handles, so that trying is harmless.
            raise (_closed(operation.name) if self.closed else error) from None
        return operation.read(library.read(document))

    def _check_open(self) -> None:
        if self.closed:
            raise _closed(None)


def _closed(operation: Optional[str]) -> BwError:
    return local(InvalidHandleError, "BW_E_INVALID_HANDLE", "this client is closed", operation)


def _end(
    library: _library.Library, handle: c_void_p, log: _log.Log, late: List[Optional[bytes]]
) -> None:
    log.stop(library, handle)
    # A library without this function, or without memory, must not keep the client from its end.
    with contextlib.suppress(BwError, LibraryError):
        late.append(library.call("bw_client_take_late", handle))
    library.function("bw_client_free")(handle)
