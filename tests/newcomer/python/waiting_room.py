"""A waiting room: guests wait until the host admits them. A web server receives the webhooks."""

from __future__ import annotations

import asyncio
import logging
import queue
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Dict, List

from bw_webrtc import (
    AsyncClient,
    BwError,
    CallTimeoutError,
    Client,
    ConflictError,
    CreatedParticipant,
    Event,
    InvalidArgumentError,
    NotFoundError,
    Outcome,
    Permission,
    RateLimitedError,
    Subscriptions,
    parse_event,
)

log = logging.getLogger("waiting_room")


class WaitingRoom:
    """A session with a host, and guests that wait outside."""

    def __init__(self, client: Client, name: str, callback_url: str) -> None:
        self.client = client
        self.callback_url = callback_url
        self.session = client.create_session(tag=name, timeout=2)
        self.waiting: Dict[str, str] = {}  # names of guests by id
        self.host = self.invite("host", [Permission.AUDIO, Permission.VIDEO])
        self.admit(self.host.id)

    def invite(self, name: str, permissions: List[Permission]) -> CreatedParticipant:
        """Creates a participant. Its token is for the device of this person."""
        try:
            return self.client.create_participant(
                publish_permissions=permissions, tag=name, callback_url=self.callback_url, timeout=2
            )
        except BwError as error:
            if error.outcome != Outcome.UNKNOWN:
                raise
            log.warning("participant %s may exist without a token: %s", name, error)
            return self.client.create_participant(
                publish_permissions=permissions,
                tag=f"{name}, again",
                callback_url=self.callback_url,
            )

    def admit(self, participant_id: str) -> bool:
        """Moves a guest to the session. Returns whether it is in the session."""
        name = self.waiting.pop(participant_id, "somebody")
        try:
            self.client.add_participant_to_session(
                self.session.id, participant_id, Subscriptions(session_id=self.session.id)
            )
        except NotFoundError:
            log.warning("%s has left", name)
            return False
        except ConflictError as error:
            log.warning("%s cannot be admitted: %s", name, error)
            return False
        return True

    def handle(self, event: Event) -> None:
        """Handles a webhook."""
        if event.participant_id is None:
            log.info("ignored: %s", event.event)
        elif event.event == "onConnect":
            self.waiting[event.participant_id] = event.tag or "somebody"
        elif event.event in ("onLeave", "onDisconnect"):
            self.waiting.pop(event.participant_id, None)

    def names(self) -> List[str]:
        """The tags of everyone in the session."""
        people = self.client.list_session_participants(self.session.id, timeout=2)
        return sorted(person.tag or "" for person in people)

    def close(self) -> None:
        """Deletes the session and everyone in it."""
        for person in self.client.list_session_participants(self.session.id):
            self.client.delete_participant(person.id)
        self.client.delete_session(self.session.id)


def retry_after(error: BwError) -> float:
    """How many seconds the program should wait before it repeats a call."""
    if isinstance(error, RateLimitedError) and error.retry_after is not None:
        return error.retry_after
    return 0.5 if isinstance(error, CallTimeoutError) else 5.0


class WebhookServer(ThreadingHTTPServer):
    """Receives the webhooks of a waiting room on a free port of this machine."""

    def __init__(self) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        super().__init__(("127.0.0.1", 0), _Receiver)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/webhooks/c2VjcmV0"


class _Receiver(BaseHTTPRequestHandler):
    server: WebhookServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            self.server.events.put(parse_event(body))  # handled later, in another thread
        except InvalidArgumentError as error:
            log.error("not a webhook: %s", error)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Logs nothing: the client logs its calls."""


async def invite_all(client: AsyncClient, names: List[str]) -> List[CreatedParticipant]:
    """Invites many listeners at the same time."""
    calls = [
        client.create_participant(publish_permissions=[], tag=name, timeout=5) for name in names
    ]
    return await asyncio.gather(*calls)
