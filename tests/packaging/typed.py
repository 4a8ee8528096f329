"""A program for the type checker: every result of the package has a type."""

from __future__ import annotations

from typing import List, Optional

from typing_extensions import assert_type

import bw_webrtc
from bw_webrtc import AsyncClient, BwError, Client, CreatedParticipant, Participant, Session


def sync(client: Client) -> None:
    created = client.create_participant(publish_permissions=["AUDIO"], tag="alice")
    assert_type(created, CreatedParticipant)
    assert_type(created.token, str)
    assert_type(created.participant, Participant)
    session = client.create_session()
    assert_type(session, Session)
    assert_type(session.tag, Optional[str])
    assert_type(client.list_session_participants(session.id), List[Participant])
    assert_type(bw_webrtc.transfer_bxml(created.token), str)


async def asynchronous(client: AsyncClient) -> None:
    async with client as same:
        assert_type(await same.get_session("x"), Session)


def failed(error: BwError) -> Optional[str]:
    assert_type(error.status, int)
    assert_type(error.retry_after, Optional[float])
    return error.outcome


def wrong(client: Client) -> None:
    client.create_participant(tag=1)  # type: ignore[arg-type]
    client.get_session()  # type: ignore[call-arg]
