"""The client for asyncio: every operation is a coroutine, executed by the library's queue."""

from __future__ import annotations

import asyncio
import logging
import os
import weakref
from ctypes import c_char_p, c_int32, c_uint64, c_void_p
from types import TracebackType
from typing import (
    Any,
    AsyncIterator,
    Awaitable,
    Dict,
    Iterable,
    List,
    Mapping,
    NoReturn,
    Optional,
    Set,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from . import _arguments as arguments
from . import _library, _operations, _request
from ._request import SubscriptionsLike
from .client import Client, creates
from .enums import Outcome
from .errors import CallCancelledError, InvalidHandleError, local
from .models import (
    CreatedEndpoint,
    CreatedParticipant,
    Endpoint,
    EndpointPage,
    LateObjects,
    Participant,
    Reload,
    Session,
    Subscriptions,
)

T = TypeVar("T")

# The number of completions that are fetched at a time, so that the loop's other handlers can run.
_AT_ONCE = 16
_NO_WAIT = 0
_IN_USE = "this AsyncClient is in use by another event loop"


class AsyncClient:
    """A client of the service for asyncio.

    It can be used in several event loops, one after the other: the next loop may use it when no
    call is in progress and the previous loop is closed or not running. To use two loops at the same
    time, in different threads, create a client for each.

    Cancelling a task cancels its call. If the service creates an object nevertheless,
    ``take_late()`` returns it.

    Use the client in an ``async with`` statement, or close it with ``await client.aclose()``.

    Args:
        account_id: The account at the service.
        workers: The number of calls that are executed at the same time (8).
        backlog: The maximum number of calls that are waiting or in progress (1024). A further call
            raises ``QueueFullError``.
        **options: The other options of ``Client``.
    """

    def __init__(
        self,
        account_id: str,
        *,
        workers: Optional[int] = None,
        backlog: Optional[int] = None,
        **options: Any,
    ) -> None:
        self._open(Client(account_id, **options), workers, backlog)

    @classmethod
    def from_env(
        cls, *, workers: Optional[int] = None, backlog: Optional[int] = None, **options: Any
    ) -> AsyncClient:
        """Creates a client from the environment, as ``Client.from_env``."""
        client = cls.__new__(cls)
        client._open(Client.from_env(**options), workers, backlog)
        return client

    def _open(self, client: Client, workers: Optional[int], backlog: Optional[int]) -> None:
        sizes = {"workers": workers, "backlog": backlog}
        given = {name: arguments.integer(name, n) for name, n in sizes.items() if n is not None}
        options = arguments.to_json("options", given)
        self._library = _library.load()
        self._client = client
        self._queue = c_void_p()
        try:
            self._library.call("bw_queue_new", client._handle, options.encode(), self._queue)
        except BaseException:
            client.close()
            raise
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._descriptor = -1
        # The process of the loop.
        self._process = 0
        # The operation of each call whose caller has not received its response, and the future for
        # the response; None if the caller no longer waits.
        self._calls: Dict[int, Tuple[_request.Operation[Any], Optional[asyncio.Future[Any]]]] = {}
        # Whether a call that was cancelled may still create an object.
        self._may_be_late = False
        free = self._library.function("bw_queue_free")
        self._finalizer = weakref.finalize(self, free, self._queue)

    async def aclose(self) -> None:
        """Closes the client. Calls in progress raise ``CallCancelledError``.

        Closing twice is allowed, and so is closing after the event loop was closed. Late
        responses to cancelled calls are received as long as this object exists: see
        ``take_late()``.

        Raises:
            RuntimeError: Another event loop, which is running, uses the client. Close it there:
                ``asyncio.run_coroutine_threadsafe(client.aclose(), loop)``.
        """
        if self.closed:
            return
        if self._is_in_use_elsewhere():
            raise RuntimeError(
                f"{_IN_USE}, which is running; close the client there: "
                "asyncio.run_coroutine_threadsafe(client.aclose(), loop)"
            )
        self._library.function("bw_queue_close")(self._queue)
        # The completions are available at once.
        while self._fetch():
            pass
        if self._loop is not None and self._loop.is_closed():
            # Its tasks can no longer receive responses.
            for number in list(self._calls):
                self._abandon(number)
        else:
            self._leave_loop()
        self._finalizer()
        if not self._may_be_late:
            self._client.close()

    def take_late(self) -> LateObjects:
        """Returns the participants and sessions that no caller received, and clears the list.

        The service responded after the call was cancelled, or the task was cancelled when the
        response was already available. In each of these cases at most 1024 objects are kept;
        ``LateObjects.dropped`` counts the others. This method can also be called after
        ``aclose()``. It does not block.
        """
        return self._client.take_late()

    @property
    def closed(self) -> bool:
        """Whether the client is closed."""
        return not self._finalizer.alive

    async def __aenter__(self) -> AsyncClient:
        self._check_open(None)
        return self

    async def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<bw_webrtc.AsyncClient {self._client._describe(self.closed)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an AsyncClient can be neither pickled nor copied")

    def set_credentials(self, identifier: str, secret: str) -> None:
        """Changes the credentials, as ``Client.set_credentials``; does not block."""
        self._check_open(None)
        self._client.set_credentials(identifier, secret)

    def reload(self) -> Reload:
        """Reads the settings again, as ``Client.reload``; it reads files, but does not wait."""
        self._check_open(None)
        return self._client.reload()

    def stats(self) -> Dict[str, Any]:
        """Returns counters, as ``Client.stats``; does not block."""
        self._check_open(None)
        return self._client.stats()

    def metrics(self) -> str:
        """Returns OpenMetrics text, as ``Client.metrics``; does not block."""
        self._check_open(None)
        return self._client.metrics()

    def set_log(
        self, level: Union[int, str, None], logger: Union[str, logging.Logger] = "bw_webrtc"
    ) -> None:
        """Sends log lines to a logger, as ``Client.set_log``.

        The handlers run on the library's worker threads.
        """
        self._check_open(None)
        self._client.set_log(level, logger)

    # Generated by `make generated`; do not edit.

    async def create_participant(
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
        return await self._run(request, timeout)

    async def get_participant(
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
        return await self._run(_operations.get_participant(participant_id), timeout)

    async def delete_participant(
        self,
        participant_id: str,
        *,
        timeout: Optional[float] = None,
    ) -> None:
        """Deletes a participant, and removes it from its session.

        If its media connection was lost, the participant has already been deleted.

        Args:
            participant_id: The participant's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Raises:
            NotFoundError: The participant does not exist.
        """
        await self._run(_operations.delete_participant(participant_id), timeout)

    async def create_session(
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
        return await self._run(_operations.create_session(tag), timeout)

    async def get_session(self, session_id: str, *, timeout: Optional[float] = None) -> Session:
        """Reads a session.

        Args:
            session_id: The session's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The session.

        Raises:
            NotFoundError: The session does not exist.
        """
        return await self._run(_operations.get_session(session_id), timeout)

    async def delete_session(self, session_id: str, *, timeout: Optional[float] = None) -> None:
        """Deletes a session; its participants remain.

        Args:
            session_id: The session's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Raises:
            NotFoundError: The session does not exist.
        """
        await self._run(_operations.delete_session(session_id), timeout)

    async def list_session_participants(
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
        return await self._run(_operations.list_session_participants(session_id), timeout)

    async def add_participant_to_session(
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
        await self._run(request, timeout)

    async def remove_participant_from_session(
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
        request = _operations.remove_participant_from_session(session_id, participant_id)
        await self._run(request, timeout)

    async def get_participant_subscriptions(
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
        return await self._run(request, timeout)

    async def update_participant_subscriptions(
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
        await self._run(request, timeout)

    async def create_endpoint(
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
        return await self._run(request, timeout)

    async def list_endpoints(
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
        request = _operations.list_endpoints(type, status, after_cursor, limit)
        return await self._run(request, timeout)

    async def get_endpoint(self, endpoint_id: str, *, timeout: Optional[float] = None) -> Endpoint:
        """Reads an endpoint and its devices (BRTC).

        Args:
            endpoint_id: The endpoint's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Returns:
            The endpoint, without its token.

        Raises:
            NotFoundError: The endpoint does not exist.
        """
        return await self._run(_operations.get_endpoint(endpoint_id), timeout)

    async def delete_endpoint(self, endpoint_id: str, *, timeout: Optional[float] = None) -> None:
        """Deletes an endpoint, and ends its media (BRTC).

        Args:
            endpoint_id: The endpoint's id.
            timeout: The limit for this call, in seconds, instead of the client's ``timeout``.

        Raises:
            NotFoundError: The endpoint does not exist.
        """
        await self._run(_operations.delete_endpoint(endpoint_id), timeout)

    async def update_endpoint_bxml(
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
        await self._run(_operations.update_endpoint_bxml(endpoint_id, bxml), timeout)

    # End of the generated part.

    async def endpoints(
        self,
        *,
        type: Optional[str] = None,
        status: Optional[str] = None,
        limit: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> AsyncIterator[Endpoint]:
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
            page = await self.list_endpoints(
                type=type, status=status, limit=limit, after_cursor=cursor, timeout=timeout
            )
            for endpoint in page.endpoints:
                yield endpoint
            cursor = _request.next_cursor(page, earlier)
            if cursor is None:
                return

    async def call(self, document: Mapping[str, Any], *, timeout: Optional[float] = None) -> Any:
        """Executes any operation, given as one mapping, as ``Client.call``."""
        return await self._run(_request.call(document, timeout))

    def _run(self, request: _request.Request[T], timeout: Optional[float] = None) -> Awaitable[T]:
        """Submits a request, and returns an awaitable for its result."""
        operation = request.operation
        self._check_open(operation.name)
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._watch(loop)
        number = c_uint64()
        # The timeout of a generic call is part of its document.
        self._library.call(
            "bw_queue_submit",
            self._queue,
            request.document(timeout),
            None,
            number,
            operation=operation,
        )
        # Completions are fetched only on this thread, so this one has not been fetched yet.
        future: asyncio.Future[Any] = loop.create_future()
        self._calls[number.value] = (operation, future)
        return self._wait(number.value, operation, future)

    async def _wait(
        self, number: int, operation: _request.Operation[T], future: asyncio.Future[Any]
    ) -> T:
        try:
            response = await future
        except (asyncio.CancelledError, GeneratorExit):
            self._abandon(number)
            raise
        except BaseException:
            self._calls.pop(number, None)
            raise
        self._calls.pop(number, None)
        return operation.read(response)

    def _abandon(self, number: int) -> None:
        """Cancels a call whose caller no longer waits, or keeps what the call created."""
        operation, future = self._calls.pop(number, (None, None))
        if operation is None or future is None:
            return
        if future.done() and not future.cancelled():
            # The task was cancelled between the response and its next step.
            if future.exception() is None:
                self._client._keep(operation, future.result())
            return
        # If the call has ended meanwhile, its completion will still be fetched.
        self._calls[number] = (operation, None)
        self._library.function("bw_queue_cancel")(self._queue, number)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fetches completions in another loop from now on."""
        previous = self._loop
        if previous is not None and self._process == os.getpid():
            is_waiting = any(future is not None for _, future in self._calls.values())
            if previous.is_closed():
                # Its tasks can no longer receive responses.
                for number in list(self._calls):
                    self._abandon(number)
            elif previous.is_running() or is_waiting:
                raise RuntimeError(
                    f"{_IN_USE}; create one client for each loop that runs at the same time"
                )
            self._leave_loop()
        descriptor = self._library.function("bw_queue_fd")(self._queue)
        if descriptor < 0:
            raise OSError("the queue has no descriptor: too many files are open")
        loop.add_reader(descriptor, self._fetch_some)
        self._loop, self._descriptor, self._process = loop, descriptor, os.getpid()

    def _is_in_use_elsewhere(self) -> bool:
        """Whether a loop of another thread is running, which alone may complete its futures."""
        loop = self._loop
        if loop is None or self._process != os.getpid() or not loop.is_running():
            return False
        return loop is not asyncio.get_running_loop()

    def _leave_loop(self) -> None:
        loop, self._loop = self._loop, None
        # Not in a forked child, which shares the loop's epoll instance with its parent.
        if loop is not None and not loop.is_closed() and self._process == os.getpid():
            loop.remove_reader(self._descriptor)

    def _fetch_some(self) -> None:
        # The descriptor remains readable while completions are available.
        for _ in range(_AT_ONCE):
            if not self._fetch():
                return

    def _fetch(self) -> bool:
        """Fetches one completion, and returns whether there was one."""
        number, data, status, out = c_uint64(), c_void_p(), c_int32(), c_char_p()
        got = self._library.function("bw_queue_next")(
            self._queue, _NO_WAIT, number, data, status, out
        )
        document = self._library.take(out)
        if got:
            return False
        operation, future = self._calls.get(number.value, (None, None))
        if operation is None:
            # Submitted by a parent process.
            return True
        waits = future is not None and not future.done() and not future.get_loop().is_closed()
        if not waits:
            del self._calls[number.value]
        try:
            if status.value:
                raise self._library.failure(status.value, document, operation)
            response = self._library.response(document, operation.name)
        except Exception as error:
            if isinstance(error, CallCancelledError) and error.outcome == Outcome.UNKNOWN:
                self._may_be_late |= creates(operation)
            if future is not None and waits:
                future.set_exception(error)
        else:
            if future is not None and waits:
                future.set_result(response)
            else:
                self._client._keep(operation, response)
        return True

    def _check_open(self, operation: Optional[str]) -> None:
        if self.closed:
            raise local(InvalidHandleError, "this client is closed", operation)
