"""The tests of the waiting room, with the fixtures of bw_webrtc.pytest_plugin."""

import asyncio
import json
import logging
import threading

import pytest
from waiting_room import WaitingRoom, WebhookServer, invite_all, retry_after

from bw_webrtc import CallTimeoutError, Permission, RateLimitedError, parse_event


@pytest.fixture
def webhooks():
    with WebhookServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def room(bw_client, webhooks):
    return WaitingRoom(bw_client, "interview", webhooks.url)


def test_guest_waits_until_it_is_admitted(room, webhooks, bw_sandbox):
    guest = room.invite("guest", [Permission.AUDIO])
    delivery = bw_sandbox.connect(guest.id)
    assert delivery["status"] == 200
    room.handle(webhooks.events.get(timeout=30))
    assert room.waiting == {guest.id: "guest"}
    assert room.names() == ["host"]
    assert room.admit(guest.id)
    assert room.names() == ["guest", "host"]
    room.close()
    assert bw_sandbox.state()["accounts"][0]["sessions"] == []


def test_guest_that_has_left_is_not_admitted(room, webhooks, bw_sandbox, caplog):
    guest = room.invite("guest", [Permission.AUDIO])
    bw_sandbox.connect(guest.id)
    room.handle(webhooks.events.get(timeout=30))
    bw_sandbox.disconnect(guest.id)
    assert not room.admit(guest.id)
    assert "guest has left" in caplog.text


def test_guest_that_disconnects_does_not_wait_any_longer(room, webhooks, bw_sandbox):
    guest = room.invite("guest", [Permission.AUDIO])
    bw_sandbox.connect(guest.id)
    bw_sandbox.disconnect(guest.id)
    for _ in range(2):
        room.handle(webhooks.events.get(timeout=30))
    assert room.waiting == {}


def test_unknown_webhook_is_ignored(room, caplog):
    caplog.set_level(logging.INFO)
    room.handle(parse_event(json.dumps({"event": "somethingNew", "timestamp": 1764244800000})))
    assert "ignored: somethingNew" in caplog.text


def test_busy_service_states_when_to_try_again(room, bw_sandbox):
    headers = {"Retry-After": "60"}
    bw_sandbox.fault("createParticipant", "status", status=429, headers=headers)
    with pytest.raises(RateLimitedError) as raised:
        room.invite("guest", [Permission.AUDIO])
    assert retry_after(raised.value) == 60
    assert raised.value.attempts == 1


def test_lost_response_leads_to_a_second_participant(room, bw_sandbox, caplog):
    bw_sandbox.fault("createParticipant", "close_after")
    assert room.invite("guest", [Permission.AUDIO]).participant.tag == "guest, again"
    assert "participant guest may exist without a token" in caplog.text


def test_call_ends_at_its_timeout(bw_client, bw_sandbox):
    bw_client.create_session()
    bw_sandbox.fault("createSession", "delay", ms=5000)
    with pytest.raises(CallTimeoutError) as raised:
        bw_client.create_session(timeout=0.1)
    assert retry_after(raised.value) == 0.5
    assert isinstance(raised.value, TimeoutError)


def test_listeners_are_invited_at_the_same_time(bw_sandbox):
    async def invite():
        async with bw_sandbox.async_client(workers=4) as client:
            return await invite_all(client, [f"listener {number}" for number in range(12)])

    created = asyncio.run(invite())
    assert len({one.id for one in created}) == 12
    assert all(one.participant.publish_permissions == () for one in created)


def test_log_contains_calls_and_no_token(bw_client, caplog):
    caplog.set_level(logging.INFO)
    bw_client.set_log("INFO")
    created = bw_client.create_participant(tag="guest")
    bw_client.delete_participant(created.id)
    assert f"operation=deleteParticipant call=2 participantId={created.id}" in caplog.text
    assert created.token not in caplog.text
    assert created.token not in repr(created)
