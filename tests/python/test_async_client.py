"""AsyncClient under asyncio and uvloop: coroutines, cancellation, no gap in the loop."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any, Awaitable, Callable, Coroutine, List, TypeVar

import pytest
import uvloop

from bw_webrtc import (
    CallCancelledError,
    InvalidArgumentError,
    InvalidHandleError,
    NotFoundError,
    QueueFullError,
    Subscriptions,
    _operations,
)
from bw_webrtc.testing import Sandbox
from support import LIMIT

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run[Any]:
    """Runs a coroutine on a loop of either kind, which must be left clean."""

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
            answer = await client.call({"operation": "createSession", "body": {"tag": "x"}})
            assert answer["tag"] == "x"
            assert client.stats()["calls"] == 15
        assert client.closed

    run(work())


def test_two_hundred_calls_at_once_leave_the_loop_free(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("createParticipant", "delay", ms=200, count=None)
    gaps: List[float] = []

    async def measure() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            gaps.append(time.monotonic() - before - 0.001)

    async def work() -> float:
        async with plain.async_client(workers=64) as client:
            watching = asyncio.ensure_future(measure())
            before = threading.active_count()
            began = time.monotonic()
            created = await asyncio.gather(
                *(client.create_participant(tag=f"caller {n}") for n in range(200))
            )
            took = time.monotonic() - began
            watching.cancel()
            assert threading.active_count() == before
            assert [one.participant.tag for one in created] == [f"caller {n}" for n in range(200)]
            assert client.stats()["connectionsOpened"] <= 64
            return took

    took = run(work())
    # 200 calls by 64 workers are four rounds; one after the other they would take 40 s.
    assert 0.8 <= took < 10
    # A call that blocked the loop would make a gap of 200 ms.
    assert max(gaps) < 0.15, f"the loop stood still for {max(gaps) * 1000:.0f} ms"


def test_a_cancelled_task_cancels_its_call(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("createParticipant", "delay", ms=500, count=None)

    async def work() -> None:
        async with plain.async_client(workers=1) as client:
            first = asyncio.ensure_future(client.create_participant(tag="under way"))
            second = asyncio.ensure_future(client.create_participant(tag="waits"))
            await until(lambda: bool(client.stats()["inFlight"]))
            await asyncio.sleep(0.1)
            for task in (second, first):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            # What the service made all the same is known.
            await until(lambda: client.stats()["lateAnswers"] == 1)
            (late,) = client.stats()["lateParticipants"]
            assert (await client.get_participant(late)).tag == "under way"
            entry = {"operation": "createParticipant", "id": late, "tag": "under way"}
            assert client.take_late() == {"late": [{**entry, "userData": 0}], "dropped": 0}
            assert client.take_late() == {"late": [], "dropped": 0}
        assert len(plain.requests("createParticipant")) == 1

    run(work())


def test_a_time_out_of_asyncios_own_cancels_too(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("getSession", "delay", ms=5000, count=None)

    async def work() -> None:
        async with plain.async_client() as client:
            session = await client.create_session()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.get_session(session.id), 0.2)
            await until(lambda: client.stats()["inFlight"] == 0)

    run(work())


def test_what_is_late_can_be_read_after_closing(run: Run[Any], plain: Sandbox) -> None:
    plain.fault("createParticipant", "delay", ms=300, count=None)

    async def work() -> None:
        client = plain.async_client()
        task = asyncio.ensure_future(client.create_participant(tag="late"))
        await until(lambda: bool(plain.requests("createParticipant")))
        task.cancel()
        await until(lambda: client.stats()["lateAnswers"] == 1)
        await client.aclose()
        late = client.take_late()
        assert [entry["tag"] for entry in late["late"]] == ["late"]
        assert client.take_late() == {"late": [], "dropped": 0}

    run(work())


def test_closing_ends_calls_under_way(run: Run[Any], plain: Sandbox) -> None:
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


def test_the_backlog_has_an_end(run: Run[Any], plain: Sandbox) -> None:
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


def test_what_is_wrong_is_raised_at_the_await(run: Run[Any], plain: Sandbox) -> None:
    async def work() -> None:
        async with plain.async_client() as client:
            with pytest.raises(InvalidArgumentError, match="tag"):
                await client.create_participant(tag="x" * 51)
            with pytest.raises(TypeError, match="session_id must be a str"):
                await client.get_session(5)  # type: ignore[arg-type]
            with pytest.raises(InvalidArgumentError, match="sessionId"):
                await client.get_session("..")
        assert plain.requests() == []

    run(work())
    with pytest.raises(InvalidArgumentError, match=r"options\.workers"):
        plain.async_client(workers=0)
    with pytest.raises(TypeError, match="workers must be an int"):
        plain.async_client(workers="many")
    with pytest.raises(TypeError, match="time_out"):
        plain.async_client(time_out=5)


def test_a_call_is_one_document_whatever_its_texts_hold() -> None:
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
    assert json.loads(_operations.create_session(None).document()) == {"operation": "createSession"}


def test_it_belongs_to_one_loop(plain: Sandbox) -> None:
    client = plain.async_client()

    async def call() -> object:
        return await client.create_session()

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        first.run_until_complete(call())
        with pytest.raises(RuntimeError, match="one event loop"):
            second.run_until_complete(call())
        first.run_until_complete(client.aclose())
    finally:
        first.close()
        second.close()


def test_it_need_not_be_awaited_in_order(run: Run[Any], plain: Sandbox) -> None:
    async def work() -> None:
        async with plain.async_client(workers=4) as client:
            calls: List[Awaitable[Any]] = [client.create_session(tag=str(n)) for n in range(20)]
            tasks = [asyncio.ensure_future(call) for call in reversed(calls)]
            sessions = await asyncio.gather(*tasks)
            assert [s.tag for s in sessions] == [str(n) for n in reversed(range(20))]

    run(work())
