"""The blocking client."""

from __future__ import annotations

import contextlib
import logging
import os
import weakref
from collections import deque
from ctypes import c_void_p
from types import TracebackType
from typing import (
    Any,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NoReturn,
    Optional,
    Set,
    Type,
    TypeVar,
    Union,
)
from urllib.parse import urlsplit

from . import _arguments as arguments
from . import _config, _interrupt, _library, _log, _names, _operations, _request
from ._request import SubscriptionsLike
from .errors import BwError, InvalidArgumentError, InvalidHandleError, LibraryError, local
from .models import (
    CreatedEndpoint,
    CreatedParticipant,
    Endpoint,
    EndpointPage,
    LateObject,
    LateObjects,
    Participant,
    Reload,
    Session,
    Subscriptions,
)

T = TypeVar("T")

SERVICE = "https://api.webrtc.bandwidth.com/v1"

# The number of late objects that are kept, in addition to the library's own list.
_MAX_LATE = 1024


class Client:
    """A client of the service, for any number of threads at the same time.

    Create one client and share it: it keeps connections and retries what is safe to retry. A call
    blocks only the calling thread, for no longer than ``timeout``, and releases the GIL.
    A client also works in children of ``os.fork``.

    Signal handlers run during a call on the main thread. If one raises an exception, as Ctrl-C
    does, the call ends within 0.2 s and raises that exception. Its ``__cause__`` is the
    ``CallCancelledError`` of the call, whose ``outcome`` reports whether the service may have
    processed the request.

    Close the client, or use it in a ``with`` statement; a client that is no longer referenced is
    freed. It opens no connection before the first call.

    All times are in seconds. If an option is None, the library's default applies.

    Args:
        account_id: The account at the service.
        client_id: The id of the API credentials (OAuth 2.0).
        client_secret: The secret of the API credentials.
        username: The name of an API user, instead of API credentials. User names and passwords stop
            working on 2 December 2026.
        password: The password of the API user.
        base_url: The URL of WebRTC v1 (default: Bandwidth's).
        endpoints_url: The URL of BRTC Endpoints (default: Bandwidth's). It is required for calls of
            this service if ``base_url`` or ``token_url`` is not Bandwidth's.
        token_url: The URL of token requests (default: Bandwidth's). It is required with
            ``client_id`` if ``base_url`` is not Bandwidth's.
        timeout: The limit for a whole call, including retries, name resolution and TLS (10).
        attempt_timeout: The limit for one attempt (what remains of ``timeout``).
        connect_timeout: The limit for name resolution, connection and TLS together (3).
        max_retries: The maximum number of retries of a call (2).
        retry_base: The upper limit of the random delay before the first retry (0.1). The limit
            doubles with each retry.
        retry_max: The upper limit of any of these delays (2).
        max_retry_after: The largest sum of the ``Retry-After`` values that a call waits for (5). If
            the service requests a longer delay, the call fails at once with the service's error.
        proxy: ``"http://user:password@host:port"``, for CONNECT, or ``"socks5://.."`` (none).
        roots: The certificate authorities to trust, ``"bundled"`` (the default) or ``"system"``.
        ca_file: A PEM file with the certificate authorities to trust instead.
        client_cert_file: A PEM file with the certificate to present to the service.
        client_key_file: A PEM file with the key of that certificate.
        ip_family: ``"any"`` (the default), ``"ipv4"`` or ``"ipv6"``.
        bind_address: The local IP address to connect from.
        dns_ttl: How long the addresses of a name are cached (30).
        max_idle_connections: The maximum number of idle connections that are kept (64).
        idle_timeout: How long an idle connection is kept (15).
        max_response_bytes: The size of the largest response that is read (1048576).
        user_agent: A text that is appended to the User-Agent header.
        allow_insecure_http: Whether plain http is allowed to hosts other than this one (False).
        log_format: The form of log lines: ``"text"`` (the default), ``key=value`` pairs, or
            ``"json"``.
        config_file: The path of a settings file. The other options override it.

    Raises:
        ConfigError: The configuration is invalid; the message names everything that is wrong.
        LibraryError: The shared library is not found.
    """

    # None only if __init__ failed. In a comment, because it is not a type at run time.
    _finalizer = None  # type: Optional[weakref.finalize[Any, Any]]

    def __init__(
        self,
        account_id: str,
        *,
        client_id: Optional[str] = None,
        client_secret: Optional[str] = None,
        username: Optional[str] = None,
        password: Optional[str] = None,
        base_url: Optional[str] = None,
        endpoints_url: Optional[str] = None,
        token_url: Optional[str] = None,
        timeout: Optional[float] = None,
        attempt_timeout: Optional[float] = None,
        connect_timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        retry_base: Optional[float] = None,
        retry_max: Optional[float] = None,
        max_retry_after: Optional[float] = None,
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
        log_format: Optional[str] = None,
        config_file: Optional[arguments.PathLike] = None,
    ) -> None:
        self._open(_config.to_document(locals()), account_id, base_url, config_file)

    @classmethod
    def from_env(cls, **options: Any) -> Client:
        """Creates a client from the environment.

        It reads, once, the settings file that BW_CONFIG_FILE names, if it is set: a JSON object
        with the keys of ``bw_client_new``. BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET (or
        BW_USERNAME and BW_PASSWORD), BW_BASE_URL, BW_ENDPOINTS_URL and BW_TOKEN_URL override the
        file. An empty variable counts as unset.

        Args:
            **options: Options of ``Client``, which override the environment. Credentials of one
                kind also override those of the other kind.

        Raises:
            ConfigError: A setting is missing or invalid, and the message names all of these; or the
                settings file cannot be read, or others can change it; or the process is set-uid.
            LibraryError: The shared library is not found.
        """
        client = cls.__new__(cls)
        config = _config.with_environment(options)
        account_id = options.get("account_id") or os.environ.get("BW_ACCOUNT_ID")
        base_url = options.get("base_url") or os.environ.get("BW_BASE_URL")
        file = options.get("config_file") or os.environ.get("BW_CONFIG_FILE")
        client._open(config, account_id, base_url, file)
        return client

    def _open(
        self,
        config: str,
        account_id: Optional[str],
        base_url: Optional[str],
        file: Optional[arguments.PathLike],
    ) -> None:
        library = _library.load()
        handle = c_void_p()
        library.call("bw_client_new", config.encode(), handle)
        self._library = library
        self._handle = handle
        # For repr. The library has accepted the settings file.
        settings = _config.read_file(file) if file else {}
        self._account_id = account_id or settings.get("accountId")
        self._base_url = base_url or settings.get("baseUrl") or SERVICE
        self._log = _log.Log()
        # The library's list of late objects at close(), if the client is closed.
        self._late: List[Optional[bytes]] = []
        # Late objects whose responses the library had returned to this package.
        self._lost: Deque[LateObject] = deque()
        self._dropped = 0
        # Runs once: at close(), when the last reference is deleted, or at the interpreter's exit,
        # whichever is first. In a forked child, it frees only the child's copy.
        self._finalizer = weakref.finalize(self, _free, library, handle, self._log, self._late)

    def close(self) -> None:
        """Closes the client. Calls in flight on other threads raise ``CallCancelledError``.

        It does not wait for these calls. Closing twice is allowed; any other use of a closed client
        raises ``InvalidHandleError``.
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
        return f"<bw_webrtc.Client {self._describe(self.closed)}>"

    def _describe(self, closed: bool) -> str:
        """The account, the host and the state."""
        if self._finalizer is None:
            return "not created"
        host = urlsplit(self._base_url).netloc.rpartition("@")[2]
        state = "closed" if closed else "open"
        return f"of account {self._account_id} at {host}, {state}"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Client can be neither pickled nor copied: share it among threads and forked "
            "children, and create one in each other process"
        )

    def set_credentials(self, identifier: str, secret: str) -> None:
        """Replaces the credentials for all attempts that begin after this call.

        No call is dropped.

        Args:
            identifier: The client id or the user name, whichever kind the client was created with.
            secret: The client secret or the password.

        Raises:
            InvalidArgumentError: The credentials are invalid. The client keeps the old ones.
        """
        new = [arguments.text("identifier", identifier), arguments.text("secret", secret)]
        self._check_open()
        try:
            self._library.call("bw_client_set_credentials", self._handle, *map(str.encode, new))
        except InvalidArgumentError as error:
            message = _names.translate_credentials(error.message)
            raise local(InvalidArgumentError, message) from None

    def reload(self) -> Reload:
        """Reads the settings file and the environment again, and replaces the credentials.

        No call is dropped. All other settings apply only to new clients. Each forked process must
        call this method itself.

        Returns:
            Whether the credentials were replaced, and the keys of other settings that have changed.

        Raises:
            ConfigError: The configuration is invalid; or it has neither ``from_env`` nor
                ``config_file``; or the account, a URL or the kind of credentials has changed. The
                client keeps its credentials.
        """
        self._check_open()
        return self._run(_request.RELOAD)

    # Generated by `make generated`; do not edit.

    def create_participant(
        self,
        *,
        callback_url: Optional[str] = None,
        publish_permissions: Optional[Iterable[str]] = None,
        tag: Optional[str] = None,
        device_api_version: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> CreatedParticipant:
        """Creates a participant, and the token for its device.

        It is never retried if the service may have processed the request: if the outcome of the
        error is "unknown", a participant may exist.

        Args:
            callback_url: The absolute URL to which the service sends webhooks.
            publish_permissions: What the participant may publish: any of ``Permission``, or
                ``"AUDIO"`` and ``"VIDEO"``.
            tag: A text of at most 50 characters, for your own use.
            device_api_version: The version of the device API: ``"V3"``, or the older ``"V2"``.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The participant and its token. The service returns the token only once.
        """
        request = _operations.create_participant(
            callback_url,
            publish_permissions,
            tag,
            device_api_version,
        )
        return self._run(request, timeout)

    def get_participant(
        self,
        participant_id: str,
        *,
        timeout: Optional[float] = None,
    ) -> Participant:
        """Reads a participant.

        Args:
            participant_id: The participant's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The participant.

        Raises:
            NotFoundError: The participant does not exist.
        """
        return self._run(_operations.get_participant(participant_id), timeout)

    def delete_participant(self, participant_id: str, *, timeout: Optional[float] = None) -> None:
        """Deletes a participant, and removes it from its session.

        If its media connection was lost, the participant has already been deleted.

        Args:
            participant_id: The participant's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Raises:
            NotFoundError: The participant does not exist.
        """
        self._run(_operations.delete_participant(participant_id), timeout)

    def create_session(
        self,
        *,
        tag: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> Session:
        """Creates a session.

        It is never retried if the service may have processed the request: if the outcome of the
        error is "unknown", a session may exist.

        Args:
            tag: A text of at most 50 characters, for your own use.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The session.
        """
        return self._run(_operations.create_session(tag), timeout)

    def get_session(self, session_id: str, *, timeout: Optional[float] = None) -> Session:
        """Reads a session.

        Args:
            session_id: The session's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The session.

        Raises:
            NotFoundError: The session does not exist.
        """
        return self._run(_operations.get_session(session_id), timeout)

    def delete_session(self, session_id: str, *, timeout: Optional[float] = None) -> None:
        """Deletes a session; its participants remain.

        Args:
            session_id: The session's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Raises:
            NotFoundError: The session does not exist.
        """
        self._run(_operations.delete_session(session_id), timeout)

    def list_session_participants(
        self,
        session_id: str,
        *,
        timeout: Optional[float] = None,
    ) -> List[Participant]:
        """Lists the participants in a session.

        Args:
            session_id: The session's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The participants.

        Raises:
            NotFoundError: The session does not exist.
        """
        return self._run(_operations.list_session_participants(session_id), timeout)

    def add_participant_to_session(
        self,
        session_id: str,
        participant_id: str,
        subscriptions: Optional[SubscriptionsLike] = None,
        *,
        timeout: Optional[float] = None,
    ) -> None:
        """Adds a participant to a session.

        Args:
            session_id: The session's id.
            participant_id: The participant's id.
            subscriptions: Whom the participant hears: ``Subscriptions(session_id=session_id)`` for
                everyone in the session, including participants that join later;
                ``Subscriptions.to(participant_id, ..)`` for these participants; None for nobody. A
                mapping in the service's own form is also accepted.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Raises:
            ConflictError: The participant is already in a session, or the session is full.
            NotFoundError: The session or the participant does not exist.
        """
        request = _operations.add_participant_to_session(session_id, participant_id, subscriptions)
        self._run(request, timeout)

    def remove_participant_from_session(
        self,
        session_id: str,
        participant_id: str,
        *,
        timeout: Optional[float] = None,
    ) -> None:
        """Removes a participant from a session.

        Args:
            session_id: The session's id.
            participant_id: The participant's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Raises:
            NotFoundError: The participant is not in the session.
        """
        self._run(_operations.remove_participant_from_session(session_id, participant_id), timeout)

    def get_participant_subscriptions(
        self,
        session_id: str,
        participant_id: str,
        *,
        timeout: Optional[float] = None,
    ) -> Subscriptions:
        """Reads whom a participant hears in a session.

        Args:
            session_id: The session's id.
            participant_id: The participant's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The subscriptions; empty if the participant hears nobody.

        Raises:
            NotFoundError: The participant is not in the session.
        """
        request = _operations.get_participant_subscriptions(session_id, participant_id)
        return self._run(request, timeout)

    def update_participant_subscriptions(
        self,
        session_id: str,
        participant_id: str,
        subscriptions: Optional[SubscriptionsLike] = None,
        *,
        timeout: Optional[float] = None,
    ) -> None:
        """Changes whom a participant hears in a session.

        The new subscriptions replace the previous ones.

        Args:
            session_id: The session's id.
            participant_id: The participant's id.
            subscriptions: Whom the participant hears: ``Subscriptions(session_id=session_id)`` for
                everyone in the session, including participants that join later;
                ``Subscriptions.to(participant_id, ..)`` for these participants; None for nobody. A
                mapping in the service's own form is also accepted.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Raises:
            NotFoundError: The participant is not in the session.
        """
        request = _operations.update_participant_subscriptions(
            session_id,
            participant_id,
            subscriptions,
        )
        self._run(request, timeout)

    def create_endpoint(
        self,
        *,
        type: str = "WEBRTC",
        direction: str,
        event_callback_url: Optional[str] = None,
        event_fallback_url: Optional[str] = None,
        tag: Optional[str] = None,
        connection_metadata: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
    ) -> CreatedEndpoint:
        """Creates an endpoint, and the token for its device (BRTC).

        The endpoint and its token expire 24 hours later. The operation is never retried if the
        service may have processed the request: if the outcome of the error is "unknown", an
        endpoint may exist.

        Args:
            type: The type of endpoint: ``"WEBRTC"``.
            direction: The calls that the endpoint takes part in, a ``Direction``: ``"INBOUND"``,
                ``"OUTBOUND"`` or ``"BIDIRECTIONAL"``.
            event_callback_url: The absolute URL to which the service sends webhooks.
            event_fallback_url: The absolute URL to which the service sends a webhook that
                ``event_callback_url`` did not accept.
            tag: A text of at most 1024 characters, for your own use.
            connection_metadata: A mapping of JSON values. The service does not document its keys.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The endpoint and its token. The service returns the token only once.

        Raises:
            RateLimitedError: The account has too many endpoints: delete some, or wait until some
                expire.
        """
        request = _operations.create_endpoint(
            type,
            direction,
            event_callback_url,
            event_fallback_url,
            tag,
            connection_metadata,
        )
        return self._run(request, timeout)

    def list_endpoints(
        self,
        *,
        type: Optional[str] = None,
        status: Optional[str] = None,
        after_cursor: Optional[str] = None,
        limit: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> EndpointPage:
        """Lists one page of the account's endpoints (BRTC).

        Args:
            type: Only endpoints of this type: ``"WEBRTC"``.
            status: Only endpoints with this ``EndpointStatus``: ``"CONNECTED"`` or
                ``"DISCONNECTED"``.
            after_cursor: The ``next_cursor`` of the previous page.
            limit: The number of endpoints in a page, from 1 to 1000 (100).
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The endpoints of the page, and the cursor of the next page.
        """
        return self._run(_operations.list_endpoints(type, status, after_cursor, limit), timeout)

    def get_endpoint(self, endpoint_id: str, *, timeout: Optional[float] = None) -> Endpoint:
        """Reads an endpoint and its devices (BRTC).

        Args:
            endpoint_id: The endpoint's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The endpoint, without its token.

        Raises:
            NotFoundError: The endpoint does not exist.
        """
        return self._run(_operations.get_endpoint(endpoint_id), timeout)

    def delete_endpoint(self, endpoint_id: str, *, timeout: Optional[float] = None) -> None:
        """Deletes an endpoint, and ends its media (BRTC).

        Args:
            endpoint_id: The endpoint's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Raises:
            NotFoundError: The endpoint does not exist.
        """
        self._run(_operations.delete_endpoint(endpoint_id), timeout)

    def update_endpoint_bxml(
        self,
        endpoint_id: str,
        bxml: str,
        *,
        timeout: Optional[float] = None,
    ) -> None:
        """Replaces the BXML of an endpoint (BRTC).

        Bandwidth documents this operation, but in 2026 the service does not offer it yet.

        Args:
            endpoint_id: The endpoint's id.
            bxml: The BXML document, which must be well-formed XML without a DTD.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Raises:
            NotFoundError: The endpoint does not exist, or the service does not offer the operation.
        """
        self._run(_operations.update_endpoint_bxml(endpoint_id, bxml), timeout)

    # End of the generated part.

    def endpoints(
        self,
        *,
        type: Optional[str] = None,
        status: Optional[str] = None,
        limit: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> Iterator[Endpoint]:
        """Iterates over all endpoints of the account (BRTC), one request for each page.

        Args:
            type: Only endpoints of this type: ``"WEBRTC"``.
            status: Only endpoints with this ``EndpointStatus``: ``"CONNECTED"`` or
                ``"DISCONNECTED"``.
            limit: The number of endpoints in a page, from 1 to 1000 (100).
            timeout: The limit for each request, in seconds, instead of the client's ``timeout``.

        Yields:
            The endpoints, without tokens.

        Raises:
            ProtocolError: The service returned the same page cursor twice.
        """
        cursor: Optional[str] = None
        earlier: Set[str] = set()
        while True:
            page = self.list_endpoints(
                type=type, status=status, limit=limit, after_cursor=cursor, timeout=timeout
            )
            yield from page.endpoints
            cursor = _request.next_cursor(page, earlier)
            if cursor is None:
                return

    def call(self, document: Mapping[str, Any], *, timeout: Optional[float] = None) -> Any:
        """Executes any operation, given as one mapping.

        Args:
            document: The operation by its name at the service, with its ids, its body and,
                optionally, a timeout for this call: ``{"operation": "addParticipantToSession",
                "sessionId": .., "participantId": .., "body": {..}, "timeoutMs": 500}``.
            timeout: The limit for this call, in seconds, instead of ``timeoutMs``.

        Returns:
            The service's response as Python objects.
        """
        return self._run(_request.call(document, timeout))

    def stats(self) -> Dict[str, Any]:
        """Returns counters of this client: calls, attempts, statuses, connections, times.

        Returns:
            The document of ``bw_client_stats``: ``calls``, ``attempts``, ``retries``, ``inFlight``,
            ``statuses``, ``queue``, ``connectionsOpened``, ``connectionsReused``,
            ``tokenRequests``, and ``operations``, which has most of these for each operation, and a
            histogram of the durations: ``times``, whose entries have the upper bound ``belowUs`` in
            microseconds, and ``timeSumUs``, the sum. ``statuses`` counts each call by the status
            that its caller receives.
        """
        stats: Dict[str, Any] = self._run(_request.STATS)
        return stats

    def metrics(self) -> str:
        """Returns the counters of this client as OpenMetrics text, for Prometheus.

        The counters are those of this process: a forked child begins at zero.

        Returns:
            The text of ``bw_client_metrics``.
        """
        try:
            text = self._library.call("bw_client_metrics", self._handle)
        except InvalidHandleError as error:
            raise (_closed(None) if self.closed else error) from None
        return (text or b"").decode()

    def take_late(self) -> LateObjects:
        """Returns the participants and sessions that no caller received, and clears the list.

        A call creates such an object if a signal handler raises an exception, as Ctrl-C does, when
        the response has just arrived, or if the call of an ``AsyncClient`` is cancelled while it is
        running. In each of these cases at most 1024 objects are kept; ``LateObjects.dropped``
        counts the others. This method can also be called after ``close()``.
        """
        if not self.closed:
            found: LateObjects = self._run(_request.TAKE_LATE)
        else:
            document = self._late.pop() if self._late else None
            found = LateObjects.from_raw(self._library.response(document, None))
        # Other threads may add objects meanwhile.
        lost = [self._lost.popleft() for _ in range(len(self._lost))]
        dropped, self._dropped = self._dropped, 0
        return LateObjects((*found.objects, *lost), found.dropped + dropped)

    def set_log(
        self, level: Union[int, str, None], logger: Union[str, logging.Logger] = "bw_webrtc"
    ) -> None:
        """Sends log lines of this client to a logger. Logging is disabled initially.

        A line never contains a secret. The handlers run on the threads that make calls, and must
        not use this package.

        Args:
            level: What the library reports, as in ``logging``: ``logging.ERROR`` (failed calls),
                ``WARNING`` (also attempts that are retried), ``INFO`` (also calls that succeeded)
                or ``DEBUG`` (also every attempt), or its name, such as ``"INFO"``. None disables
                logging. The logger's own level also applies.
            logger: The logger, or its name.
        """
        self._check_open()
        self._log.set(self._library, self._handle, level, logger)

    def _run(self, request: _request.Request[T], timeout: Optional[float] = None) -> T:
        """Executes a request, and waits for its response."""
        operation, library = request.operation, self._library
        received: List[Optional[bytes]] = []
        interrupt = _interrupt.of_this_thread(library)
        try:
            if timeout is None:
                function, texts = operation.function, request.texts()
            else:
                function, texts = _request.CALL, [request.document(timeout)]
            document = library.call(
                function, self._handle, *texts, received=received, operation=operation
            )
            if interrupt is not None and interrupt.exception is not None:
                interrupt.raise_exception(None)
            return operation.read(library.response(document, operation.name))
        except InvalidHandleError as error:
            # Checked only here: the library rejects the handle of a closed client.
            raise (_closed(operation.name) if self.closed else error) from None
        except BwError as error:
            if interrupt is not None and interrupt.exception is not None:
                interrupt.raise_exception(error)
            raise
        except BaseException as error:
            # A signal handler raised this: the caller does not receive the response.
            if interrupt is not None:
                # The exception of another handler, which had ended the call.
                first = interrupt.take()
                if error.__context__ is None:
                    error.__context__ = first
            if received and creates(operation):
                with contextlib.suppress(*_library.NOT_REPRESENTABLE):
                    self._keep(operation, _library.decode(received[0]))
            raise

    def _keep(self, operation: _request.Operation[Any], response: Any) -> None:
        """Keeps what an operation created and no caller received."""
        late = _request.created(operation, response)
        # An error document has no id.
        if not late.id or not creates(operation):
            return
        if len(self._lost) >= _MAX_LATE:
            self._lost.popleft()
            self._dropped += 1
        self._lost.append(late)

    def _check_open(self) -> None:
        if self.closed:
            raise _closed(None)


def creates(operation: _request.Operation[Any]) -> bool:
    """Whether an operation creates an object. A generic call states only its name."""
    return any(one.creates and one.name == operation.name for one in _operations.ALL)


def _closed(operation: Optional[str]) -> BwError:
    return local(InvalidHandleError, "this client is closed", operation)


def _free(
    library: _library.Library, handle: c_void_p, log: _log.Log, late: List[Optional[bytes]]
) -> None:
    log.stop(library, handle)
    # The client is freed even if the library lacks this function or memory.
    with contextlib.suppress(BwError, LibraryError):
        late.append(library.call("bw_client_take_late", handle))
    library.function("bw_client_free")(handle)
