"""Checks an installed package without a test runner, for each version of Python.

The argument is the path of bw-sandbox. Prints "all checks passed" at the end.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import bw_webrtc
from bw_webrtc import AsyncClient, Client, NotFoundError, Subscriptions, UnauthorizedError
from bw_webrtc.testing import Sandbox


def session(client: Client) -> None:
    room = client.create_session(tag="a room")
    alice = client.create_participant(publish_permissions=["AUDIO"], tag="alice")
    client.add_participant_to_session(room.id, alice.id, Subscriptions(session_id=room.id))
    assert [found.id for found in client.list_session_participants(room.id)] == [alice.id]
    assert bw_webrtc.token_claims(alice.token).participant_id == alice.id
    client.delete_participant(alice.id)
    try:
        client.get_participant(alice.id)
    except NotFoundError as error:
        outcome = error.outcome
    else:
        raise AssertionError("a deleted participant still exists")
    assert outcome == "rejected"


async def concurrently(client: AsyncClient) -> None:
    async with client:
        created = await asyncio.gather(*[client.create_participant() for _ in range(20)])
        assert len({one.id for one in created}) == 20


def forked(client: Client) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            client.create_participant()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def main() -> None:
    package = Path(bw_webrtc.__file__).parent
    versions = subprocess.run(
        [sys.executable, "-m", "bw_webrtc"], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout
    assert f"library       {package}/libbw_webrtc.so.0\n" in versions, versions
    assert "found by      the copy inside the package\n" in versions, versions
    with Sandbox(tls=True, program=sys.argv[1]) as sandbox:
        with sandbox.client() as client:
            session(client)
            forked(client)
        asyncio.run(concurrently(sandbox.async_client(workers=4)))
        with sandbox.client(client_secret="wrong") as client:
            try:
                client.create_session()
            except UnauthorizedError:
                pass
            else:
                raise AssertionError("a wrong client secret is accepted")
    print("all checks passed")  # noqa: T201


if __name__ == "__main__":
    main()
