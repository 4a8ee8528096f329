"""The client for asyncio: every operation is a coroutine, none costs a thread.

Not here: the forms of requests and answers (``_operations``, ``models``); carrying calls out, which
the library's queue does.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from ctypes import c_char_p, c_int32, c_uint64, c_void_p
from types import TracebackType
from typing import (
    Any,
    Awaitable,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    NoReturn,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from . import _arguments as arguments
from . import _library, _operations
from .client import Client
from .errors import InvalidHandleError, local
from .models import CreatedParticipant, Participant, Session, Subscriptions

T = TypeVar("T")

# So many completions are read in one go: whatever else waits in the event loop comes in between.
_AT_ONCE = 16
_NO_WAIT = 0


class AsyncClient:
    """A client of the service for one event loop.

    ``workers``: how many calls are carried out at once (8). ``backlog``: how many may be waiting
    or under way; one more raises ``QueueFullError`` (1024). The other options are those of
    ``Client``. Cancelling a task cancels its call: where that had begun and may have created
    something, ``stats()`` tells what came of it.

    Use it in an ``async with`` statement, or end it with ``await client.aclose()``.
    """

    def __init__(
        self,
        account_id: str,
        username: str,
        password: str,
        *,
        workers: Optional[int] = None,
        backlog: Optional[int] = None,
        **options: Any,
    ) -> None:
        self._open(Client(account_id, username, password, **options), workers, backlog)

    @classmethod
    def from_env(
        cls, *, workers: Optional[int] = None, backlog: Optional[int] = None
    ) -> AsyncClient:
        """As ``Client.from_env``."""
        client = cls.__new__(cls)
        client._open(Client.from_env(), workers, backlog)
        return client

    def _open(self, client: Client, workers: Optional[int], backlog: Optional[int]) -> None:
        sizes = {"workers": workers, "backlog": backlog}
        given = {name: arguments.whole(name, n) for name, n in sizes.items() if n is not None}
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
        # What waits for each call, and how its answer is read.
        self._pending: Dict[int, Tuple[asyncio.Future[Any], Callable[[Any], Any]]] = {}
        free = self._library.function("bw_queue_free")
        self._finalizer = weakref.finalize(self, free, self._queue)

    async def aclose(self) -> None:
        """Ends the client. Calls under way end with ``CallCancelledError``. Twice is fine."""
        if self.closed:
            return
        self._library.function("bw_queue_close")(self._queue)
        # They are all there at once.
        while self._fetch():
            pass
        if self._loop is not None:
            self._loop.remove_reader(self._descriptor)
        self._finalizer()
        self._client.close()

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
        return f"<bw_webrtc.AsyncClient {'closed' if self.closed else 'open'} at {id(self):#x}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an AsyncClient can be neither pickled nor copied")

    def set_credentials(self, username: str, password: str) -> None:
        """As ``Client.set_credentials``; does not wait."""
        self._client.set_credentials(username, password)

    def stats(self) -> Dict[str, Any]:
        """As ``Client.stats``; does not wait."""
        return self._client.stats()

    def take_late(self) -> Dict[str, Any]:
        """As ``Client.take_late``; does not wait. Also after ``aclose()``."""
        return self._client.take_late()

    def set_log(
        self, level: Optional[int], logger: Union[str, logging.Logger] = "bw_webrtc"
    ) -> None:
        """As ``Client.set_log``. Its handlers run on the threads of the library's workers."""
        self._client.set_log(level, logger)

    async def create_participant(
        self,
        *,
        publish_permissions: Optional[Iterable[str]] = None,
        tag: Optional[str] = None,
        callback_url: Optional[str] = None,
        device_api_version: Optional[str] = None,
    ) -> CreatedParticipant:
        """As ``Client.create_participant``."""
        return await self._run(
            _operations.create_participant(
                publish_permissions, tag, callback_url, device_api_version
            )
        )

    async def get_participant(self, participant_id: str) -> Participant:
        """As ``Client.get_participant``."""
        return await self._run(_operations.get_participant(participant_id))

    async def delete_participant(self, participant_id: str) -> None:
        """As ``Client.delete_participant``."""
        await self._run(_operations.delete_participant(participant_id))

    async def create_session(self, *, tag: Optional[str] = None) -> Session:
        """As ``Client.create_session``."""
        return await self._run(_operations.create_session(tag))

    async def get_session(self, session_id: str) -> Session:
        """As ``Client.get_session``."""
        return await self._run(_operations.get_session(session_id))

    async def delete_session(self, session_id: str) -> None:
        """As ``Client.delete_session``."""
        await self._run(_operations.delete_session(session_id))

    async def list_session_participants(self, session_id: str) -> List[Participant]:
        """As ``Client.list_session_participants``."""
        return await self._run(_operations.list_session_participants(session_id))

    async def add_participant_to_session(
        self,
        session_id: str,
        participant_id: str,
        subscriptions: Optional[_operations.SubscriptionsLike] = None,
    ) -> None:
        """As ``Client.add_participant_to_session``."""
        await self._run(
            _operations.add_participant_to_session(session_id, participant_id, subscriptions)
        )

    async def remove_participant_from_session(self, session_id: str, participant_id: str) -> None:
        """As ``Client.remove_participant_from_session``."""
        await self._run(_operations.remove_participant_from_session(session_id, participant_id))

    async def get_participant_subscriptions(
        self, session_id: str, participant_id: str
    ) -> Subscriptions:
        """As ``Client.get_participant_subscriptions``."""
        return await self._run(
            _operations.get_participant_subscriptions(session_id, participant_id)
        )

    async def update_participant_subscriptions(
        self,
        session_id: str,
        participant_id: str,
        subscriptions: Optional[_operations.SubscriptionsLike] = None,
    ) -> None:
        """As ``Client.update_participant_subscriptions``."""
        await self._run(
            _operations.update_participant_subscriptions(session_id, participant_id, subscriptions)
        )

    async def call(self, document: Mapping[str, Any]) -> Any:
        """As ``Client.call``."""
        return await self._run(_operations.call(document))

    def _run(self, request: _operations.Request[T]) -> Awaitable[T]:
        """Submits a request; its answer is to be awaited."""
        operation = request.operation
        self._check_open(operation.name)
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._watch(loop)
        number = c_uint64()
        self._library.call("bw_queue_submit", self._queue, request.document(), None, number)
        # Completions are fetched on this thread alone, so this one is not there yet.
        future: asyncio.Future[T] = loop.create_future()
        self._pending[number.value] = (future, operation.read)
        return self._wait(number.value, future)

    async def _wait(self, number: int, future: asyncio.Future[T]) -> T:
        try:
            return await future
        except asyncio.CancelledError:
            if self._pending.pop(number, None) and not self.closed:
                # If it had just ended, its completion is passed over.
                self._library.function("bw_queue_cancel")(self._queue, number)
            raise

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not None:
            raise RuntimeError("an AsyncClient belongs to one event loop; make one in each")
        descriptor = self._library.function("bw_queue_fd")(self._queue)
        if descriptor < 0:
            raise OSError("no descriptor could be had for the queue")
        loop.add_reader(descriptor, self._fetch_some)
        self._loop, self._descriptor = loop, descriptor

    def _fetch_some(self) -> None:
        # What is left makes the descriptor readable again.
        for _ in range(_AT_ONCE):
            if not self._fetch():
                return

    def _fetch(self) -> bool:
        """Fetches one completion; whether there was one."""
        number, data, status, out = c_uint64(), c_void_p(), c_int32(), c_char_p()
        got = self._library.function("bw_queue_next")(
            self._queue, _NO_WAIT, number, data, status, out
        )
        document = self._library.take(out)
        if got:
            return False
        future, read = self._pending.pop(number.value, (None, None))
        if future is None or read is None or future.done():
            return True
        if status.value:
            future.set_exception(self._library.failure(status.value, document))
            return True
        try:
            future.set_result(read(self._library.read(document)))
        except Exception as error:
            future.set_exception(error)
        return True

    def _check_open(self, operation: Optional[str]) -> None:
        if self.closed:
            raise local(
                InvalidHandleError, "BW_E_INVALID_HANDLE", "this client is closed", operation
            )
