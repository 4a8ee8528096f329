"""AsyncClient under asyncio and uvloop: coroutines, cancellation, a responsive loop."""

from __future__ import annotations

import asyncio
import gc
import json
import select
import threading
import time
from typing import Any, Awaitable, Callable, Coroutine, List, Set, Tuple, TypeVar

import pytest
import uvloop

from bw_webrtc import (
    AsyncClient,
    CallCancelledError,
    InvalidArgumentError,
    InvalidHandleError,
    LateObject,
    LateObjects,
    NotFoundError,
    Outcome,
    QueueFullError,
    Subscriptions,
    _operations,
)
from bw_webrtc import client as client_module
from bw_webrtc.testing import Sandbox
from support import LIMIT, Background

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run[Any]:
    """Runs a coroutine on a new loop of either kind."""

    def go(work: Coroutine[Any, Any, T]) -> T:
        loop = uvloop.new_event_loop() if request.param == "uvloop" else asyncio.new_event_loop()
        try:
            return loop.run_until_complete(asyncio.wait_for(work, LIMIT))
        finally:
            loop.close()

    return go


async def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not is_so():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def test_every_operation(run: Run[Any], sandbox: Sandbox) -> None:
    async def work() -> None:
        async with sandbox.async_client() as client:
            session = await client.create_session(tag="room")
            assert (await client.get_session(session.id)) == session
            alice, bob = await asyncio.gather(
                client.create_participant(tag="alice"), client.create_participant(tag="bob")
            )
            everyone = Subscriptions(session_id=session.id)
            for one in (alice, bob):
                await client.add_participant_to_session(session.id, one.id, everyone)
            listed = await client.list_session_participants(session.id)
            assert {one.tag for one in listed} == {"alice", "bob"}
            assert (await client.get_participant(bob.id)).subscriptions == everyone
            only = Subscriptions.to(alice.id)
            await client.update_participant_subscriptions(session.id, bob.id, only)
            assert await client.get_participant_subscriptions(session.id, bob.id) == only
            await client.remove_participant_from_session(session.id, bob.id)
            await client.delete_participant(bob.id)
            with pytest.raises(NotFoundError) as caught:
                await client.delete_participant(bob.id)
            assert caught.value.operation == "deleteParticipant"
            await client.delete_session(session.id)
            response = await client.call({"operation": "createSession", "body": {"tag": "x"}})
            assert response["tag"] == "x"
            assert client.stats()["calls"] == 15
        assert client.closed

    run(work())


def test_concurrent_calls_do_not_block_the_loop(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("createParticipant", "delay", ms=200, count=None)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    async def work() -> float:
        async with plain.async_client(workers=64) as client:
            watching = asyncio.ensure_future(tick())
            before = threading.active_count()
            began = time.monotonic()
            created = await asyncio.gather(
                *(client.create_participant(tag=f"caller {n}") for n in range(200))
            )
            took = time.monotonic() - began
            watching.cancel()
            assert threading.active_count() == before
            assert [one.participant.tag for one in created] == [f"caller {n}" for n in range(200)]
            # One more connection is for the token.
            assert client.stats()["connectionsOpened"] <= 65
            return took

    took = run(work())
    # 64 workers execute 200 calls in four rounds; one worker would take 40 s.
    assert 0.8 <= took < 30
    # If a call blocked the loop, there would be one tick in each round.
    assert ticks > 50


def test_cancelled_task_cancels_its_call(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("createParticipant", "delay", ms=2000, count=None)

    async def work() -> None:
        async with plain.async_client(workers=1) as client:
            first = asyncio.ensure_future(client.create_participant(tag="in progress"))
            second = asyncio.ensure_future(client.create_participant(tag="waits"))
            await until(lambda: bool(plain.requests("createParticipant")))
            for task in (second, first):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            # The service created the participant nevertheless.
            await until(lambda: client.stats()["lateAnswers"] == 1)
            (late,) = client.stats()["lateParticipants"]
            assert (await client.get_participant(late)).tag == "in progress"
            found = client.take_late().objects
            assert found == (LateObject("createParticipant", late, "in progress"),)
            assert client.take_late() == LateObjects()
        assert len(plain.requests("createParticipant")) == 1

    run(work())


def test_asyncio_timeout_cancels_the_call(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("getSession", "delay", ms=5000, count=None)

    async def work() -> None:
        async with plain.async_client() as client:
            session = await client.create_session()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.get_session(session.id), 0.2)
            await until(lambda: client.stats()["inFlight"] == 0)

    run(work())


def test_late_objects_are_available_after_closing(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("createParticipant", "delay", ms=300, count=None)

    async def work() -> None:
        client = plain.async_client()
        task = asyncio.ensure_future(client.create_participant(tag="late"))
        await until(lambda: bool(plain.requests("createParticipant")))
        task.cancel()
        await until(lambda: client.stats()["lateAnswers"] == 1)
        await client.aclose()
        assert [late.tag for late in client.take_late().objects] == ["late"]
        assert client.take_late() == LateObjects()

    run(work())


def test_closing_cancels_calls_in_progress(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("*", "delay", ms=5000, count=None)

    async def work() -> None:
        client = plain.async_client(workers=1)
        tasks = [asyncio.ensure_future(client.create_session()) for _ in range(3)]
        await asyncio.sleep(0.1)
        await client.aclose()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [CallCancelledError] * 3
        await client.aclose()
        with pytest.raises(InvalidHandleError):
            await client.create_session()
        with pytest.raises(InvalidHandleError):
            async with client:
                pass

    run(work())


def test_full_backlog_rejects_a_call(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("*", "delay", ms=200, count=None)

    async def work() -> None:
        async with plain.async_client(workers=1, backlog=2) as client:
            tasks = [asyncio.ensure_future(client.create_session()) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(QueueFullError):
                await client.create_session()
            await asyncio.gather(*tasks)
            await client.create_session()

    run(work())


def test_invalid_arguments_are_raised_at_the_await(run: Run[Any], plain: Sandbox) -> None:
    async def work() -> None:
        async with plain.async_client() as client:
            with pytest.raises(InvalidArgumentError, match="tag"):
                await client.create_participant(tag="x" * 51)
            with pytest.raises(TypeError, match="session_id must be a str"):
                await client.get_session(5)  # type: ignore[arg-type]
            with pytest.raises(InvalidArgumentError, match="session_id"):
                await client.get_session("..")
        assert plain.requests() == []

    run(work())
    with pytest.raises(InvalidArgumentError, match=r"^workers: must be"):
        plain.async_client(workers=0)
    with pytest.raises(TypeError, match="workers must be an int"):
        plain.async_client(workers="many")
    with pytest.raises(TypeError, match="time_out"):
        plain.async_client(time_out=5)


def test_call_document_escapes_its_strings() -> None:
    session, participant = 'a "room" \\ \u00e9', "\U0001f600\n"
    added = _operations.add_participant_to_session(session, participant, {"sessionId": session})
    assert json.loads(added.document()) == {
        "operation": "addParticipantToSession",
        "sessionId": session,
        "participantId": participant,
        "body": {"sessionId": session},
    }
    removed = _operations.remove_participant_from_session(session, participant)
    assert set(json.loads(removed.document())) == {"operation", "sessionId", "participantId"}
    created = _operations.create_session(None)
    assert json.loads(created.document()) == {"operation": "createSession", "body": {}}


NewLoop = Callable[[], asyncio.AbstractEventLoop]
LOOPS: List[NewLoop] = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("next_loop", LOOPS)
def test_several_loops_one_after_the_other(
    plain: Sandbox, new_loop: NewLoop, next_loop: NewLoop
) -> None:
    """As with the async views of Flask, each of which has a new loop."""
    client = plain.async_client()

    async def view(tag: str) -> object:
        first, second = await asyncio.gather(
            client.create_session(tag=tag), client.create_session(tag=tag)
        )
        assert first.id != second.id
        return first.tag

    for number, create in enumerate((new_loop, next_loop, new_loop)):
        loop = create()
        assert loop.run_until_complete(view(str(number))) == str(number)
        loop.close()
    # Loops that take turns, as those of pytest fixtures of different scopes.
    loops = [new_loop(), next_loop()]
    for number in range(6):
        assert loops[number % 2].run_until_complete(view("turn")) == "turn"
    loops[0].run_until_complete(client.aclose())
    for loop in loops:
        loop.close()
    assert client.closed
    assert client.take_late() == LateObjects()


def test_closed_loop_leaves_its_calls(plain: Sandbox) -> None:
    client = plain.async_client()
    tasks: List[asyncio.Future[Any]] = []
    plain.fault("getSession", "delay", ms=60_000)

    async def leave() -> None:
        tasks.append(asyncio.ensure_future(client.get_session("0" * 36)))
        tasks.append(asyncio.ensure_future(client.create_session(tag="lost")))
        await asyncio.sleep(0)
        select.select([client._descriptor], [], [], LIMIT)

    async def work() -> None:
        await client.create_session(tag="other")
        # The call of the closed loop is cancelled.
        await until(lambda: client.stats()["inFlight"] == 0)
        await client.aclose()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
    asyncio.run(work())
    assert [late.tag for late in client.take_late().objects] == ["lost"]
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_two_loops_at_the_same_time_are_rejected(plain: Sandbox) -> None:
    client = plain.async_client()
    # The calls "first" and "paused", so that they are in progress when another loop calls.
    plain.fault("createSession", "delay", ms=1000, count=2)
    started, failed = threading.Event(), threading.Event()

    async def use() -> None:
        task = asyncio.ensure_future(client.create_session(tag="first"))
        await asyncio.sleep(0)
        started.set()
        while not failed.is_set():
            await asyncio.sleep(0.01)
        assert (await task).tag == "first"

    first = Background(lambda: asyncio.run(use()))
    assert started.wait(LIMIT)
    try:
        with pytest.raises(RuntimeError, match="in use by another event loop; create one client"):
            asyncio.run(client.create_session())
    finally:
        failed.set()
    first.result()

    # A loop that is not running, but whose call is in progress.
    async def start() -> Awaitable[Any]:
        return asyncio.ensure_future(client.create_session(tag="paused"))

    async def other() -> Any:
        return (await client.create_session(tag="other")).tag

    paused = asyncio.new_event_loop()
    task = paused.run_until_complete(start())
    paused.run_until_complete(asyncio.sleep(0))
    with pytest.raises(RuntimeError, match="in use by another event loop"):
        asyncio.run(other())
    assert paused.run_until_complete(task).tag == "paused"
    assert asyncio.run(other()) == "other"
    paused.close()
    asyncio.run(client.aclose())


def test_calls_can_be_awaited_in_any_order(run: Run[Any], plain: Sandbox) -> None:
    async def work() -> None:
        async with plain.async_client(workers=4) as client:
            calls: List[Awaitable[Any]] = [client.create_session(tag=str(n)) for n in range(20)]
            tasks = [asyncio.ensure_future(call) for call in reversed(calls)]
            sessions = await asyncio.gather(*tasks)
            assert [s.tag for s in sessions] == [str(n) for n in reversed(range(20))]

    run(work())


def late_ids(client: AsyncClient) -> List[str]:
    return [late.id for late in client.take_late().objects]


def existing(sandbox: Sandbox) -> Set[str]:
    (state,) = sandbox.state()["accounts"]
    return {found["id"] for found in (*state["participants"], *state["sessions"])}


CREATIONS: List[Tuple[str, Callable[[AsyncClient], Awaitable[Any]]]] = [
    ("createParticipant", lambda client: client.create_participant(tag="lost")),
    ("createSession", lambda client: client.create_session(tag="lost")),
    (
        "createParticipant",
        lambda client: client.call({"operation": "createParticipant", "body": {"tag": "lost"}}),
    ),
]


@pytest.mark.parametrize(("operation", "create"), CREATIONS)
def test_created_object_is_late_if_task_is_cancelled_before_the_fetch(
    run: Run[Any],
    plain: Sandbox,
    operation: str,
    create: Callable[[AsyncClient], Awaitable[Any]],
) -> None:
    async def work() -> None:
        client = plain.async_client()
        task = asyncio.ensure_future(create(client))
        await asyncio.sleep(0)
        # The loop is busy until the completion is available, and the task is cancelled before the
        # loop fetches it.
        select.select([client._descriptor], [], [], LIMIT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.aclose()
        (created_id,) = existing(plain)
        expected = LateObjects((LateObject(operation, created_id, "lost"),))
        assert client.take_late() == expected
        assert client.take_late() == LateObjects()

    run(work())


@pytest.mark.parametrize("close", [False, True])
def test_created_object_is_late_if_task_is_cancelled_after_the_fetch(
    run: Run[Any], plain: Sandbox, close: bool
) -> None:
    async def work() -> None:
        async with plain.async_client() as client:
            task = asyncio.ensure_future(client.create_participant(tag="lost"))
            await asyncio.sleep(0)
            select.select([client._descriptor], [], [], LIMIT)
            if close:
                await client.aclose()
            else:
                client._fetch_some()
            # The future has its result, and the task has not run since.
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert set(late_ids(client)) == existing(plain)

    run(work())


def test_response_that_reaches_its_task_is_not_late(run: Run[Any], plain: Sandbox) -> None:
    async def work() -> None:
        async with plain.async_client() as client:
            await client.create_participant()
            task = asyncio.ensure_future(client.get_session("0" * 36))
            await asyncio.sleep(0)
            select.select([client._descriptor], [], [], LIMIT)
            task.cancel()
            await asyncio.wait([task])
        assert client.take_late() == LateObjects()
        assert client._client.closed

    run(work())


def test_response_after_closing_is_late(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("createParticipant", "delay", ms=300)

    async def work() -> None:
        async with plain.async_client() as client:
            task = asyncio.ensure_future(client.create_participant(tag="lost"))
            await until(lambda: client.stats()["inFlight"] == 1)
            await until(lambda: bool(plain.requests("token")))
            await asyncio.sleep(0.1)
        with pytest.raises(CallCancelledError) as caught:
            await task
        assert client.closed
        if caught.value.outcome == Outcome.UNKNOWN:
            await until(lambda: bool(existing(plain)))
            found: List[str] = []
            while not found:
                found = late_ids(client)
                await asyncio.sleep(0.01)
            assert set(found) == existing(plain)
        else:
            assert existing(plain) == set()
        with pytest.raises(InvalidHandleError):
            client.stats()

    run(work())


def test_late_objects_are_bounded(
    run: Run[Any], plain: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_MAX_LATE", 2)

    async def work() -> None:
        async with plain.async_client(workers=1) as client:
            tasks = [asyncio.ensure_future(client.create_session(tag=str(n))) for n in range(5)]
            await asyncio.sleep(0)
            while client.stats()["statuses"].get("BW_OK", 0) < 5:
                time.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        late = client.take_late()
        assert ([one.tag for one in late.objects], late.dropped) == (["3", "4"], 3)
        assert client.take_late() == LateObjects()

    run(work())


@pytest.mark.parametrize("in_progress", [True, False])
def test_client_cannot_be_closed_while_another_loop_uses_it(
    plain: Sandbox, in_progress: bool
) -> None:
    client = plain.async_client()
    ready, tried = threading.Event(), threading.Event()
    loops: List[asyncio.AbstractEventLoop] = []

    async def use() -> None:
        created = await client.create_session()
        plain.fault("getSession", "delay", ms=60_000)
        task = asyncio.ensure_future(client.get_session(created.id)) if in_progress else None
        await until(lambda: client.stats()["inFlight"] == int(in_progress))
        loops.append(asyncio.get_running_loop())
        ready.set()
        await until(lambda: tried.is_set() or client.closed)
        assert client.closed
        if task is not None:
            with pytest.raises(CallCancelledError):
                await task

    first = Background(lambda: asyncio.run(use()))
    assert ready.wait(LIMIT)
    try:
        with pytest.raises(
            RuntimeError, match=r"in use by another event loop, .*; close the client"
        ):
            asyncio.run(client.aclose())
        assert not client.closed
        asyncio.run_coroutine_threadsafe(client.aclose(), loops[0]).result(LIMIT)
    finally:
        tried.set()
    first.result()


def test_client_can_be_closed_after_its_loop(plain: Sandbox) -> None:
    client = plain.async_client()

    async def use() -> None:
        await client.create_session()

    asyncio.run(use())
    asyncio.run(client.aclose())
    assert client.closed
    asyncio.run(client.aclose())
    with pytest.raises(InvalidHandleError):
        asyncio.run(use())


@pytest.mark.parametrize("fetched", [False, True])
def test_client_can_be_closed_after_the_loop_of_its_calls(plain: Sandbox, fetched: bool) -> None:
    client = plain.async_client()
    tasks: List[asyncio.Future[Any]] = []

    async def leave() -> None:
        tasks.append(asyncio.ensure_future(client.create_session(tag="lost")))
        await asyncio.sleep(0)
        select.select([client._descriptor], [], [], LIMIT)
        plain.fault("getSession", "delay", ms=60_000)
        tasks.append(asyncio.ensure_future(client.get_session("0" * 36)))
        if fetched:
            # The loop stops before the next step of the task, whose response is available.
            asyncio.get_running_loop().call_soon(client._fetch_some)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    # Without another iteration, in which the tasks would run.
    loop.close()
    assert [task.done() for task in tasks] == [False, False]
    asyncio.run(client.aclose())
    assert client.closed
    assert set(late_ids(client)) == existing(plain) != set()
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    del task
    tasks.clear()
    gc.collect()
    assert client.take_late() == LateObjects()
