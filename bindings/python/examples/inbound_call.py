"""A web server that connects inbound phone calls to agents in a browser (BRTC).

    POST /endpoints   creates an endpoint for an agent's browser, and returns its id and token
    POST /events      receives the webhooks of the endpoints
    POST /calls       receives the webhooks of phone calls, and responds with BXML

It uses the same environment variables as create_participant.py. PUBLIC_URL is the URL under which
Bandwidth reaches this server; by default its own address, which is enough for bw-sandbox. The URL
of the voice application at Bandwidth is PUBLIC_URL/calls. PORT is 8000 by default; 0 selects a free
port.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Dict, List, Set

from bw_webrtc import (
    BwError,
    Client,
    InvalidArgumentError,
    LibraryError,
    NotFoundError,
    connect_bxml,
    parse_event,
)

BUSY = (
    '<?xml version="1.0" encoding="UTF-8"?><Response>'
    "<SpeakSentence>All agents are busy. Please hold.</SpeakSentence>"
    '<Redirect redirectUrl="/calls"/></Response>'
)


class Agents:
    """The endpoints of the agents, and which of them can be connected to a call."""

    def __init__(self, client: Client, events_url: str) -> None:
        self._client = client
        self._events_url = events_url
        self._lock = threading.Lock()
        self._created: Set[str] = set()
        self._eligible: List[str] = []

    def create(self) -> Dict[str, str]:
        """Creates an endpoint. The token is only for the browser that requested it."""
        endpoint = self._client.create_endpoint(
            direction="BIDIRECTIONAL", event_callback_url=self._events_url
        )
        with self._lock:
            self._created.add(endpoint.id)
        return {"endpointId": endpoint.id, "token": endpoint.token}

    def answer(self) -> str:
        """Returns the BXML for a phone call: it connects the agent that has waited longest."""
        with self._lock:
            if not self._eligible:
                return BUSY
            # No other call gets this endpoint until the service reports that it is eligible again.
            endpoint_id = self._eligible.pop(0)
        return connect_bxml([endpoint_id])

    def handle(self, body: bytes) -> str:
        """Handles a webhook. Returns the id of an endpoint that is no longer needed, or ""."""
        event = parse_event(body)
        endpoint_id = event.endpoint_id or ""
        with self._lock:
            # Webhooks are not signed. Ids that this program did not create are ignored.
            if endpoint_id not in self._created:
                return ""
            if endpoint_id in self._eligible:
                self._eligible.remove(endpoint_id)
            if event.event == "endpointEligible":
                self._eligible.append(endpoint_id)
            elif event.event == "endpointDisconnected":
                self._created.remove(endpoint_id)
                return endpoint_id
        return ""

    def delete(self, endpoint_id: str) -> None:
        """Deletes an endpoint, which otherwise counts towards the quota for 24 hours."""
        try:
            self._client.delete_endpoint(endpoint_id)
        except NotFoundError:
            pass
        except BwError as error:
            print(f"{endpoint_id} was not deleted: {error}", file=sys.stderr)


class Handler(BaseHTTPRequestHandler):
    """The routes."""

    agents: Agents
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Responds to the browser and to Bandwidth."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/calls":
            self.respond(200, self.agents.answer(), "application/xml")
        elif self.path == "/events":
            try:
                gone = self.agents.handle(body)
            except InvalidArgumentError as error:
                self.respond(400, str(error))
                return
            self.respond(200)
            # Done after the response, which the service waits for.
            if gone:
                self.agents.delete(gone)
        elif self.path == "/endpoints":
            # A real server first checks that an agent is signed in.
            try:
                self.respond(200, json.dumps(self.agents.create()), "application/json")
            except BwError as error:
                print(error, file=sys.stderr)
                self.respond(503)
        else:
            self.respond(404)

    def respond(self, status: int, text: str = "", content_type: str = "text/plain") -> None:
        """Sends a response."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Writes no log of requests."""


def main() -> None:
    """Runs the server until it is stopped."""
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Handler)
    own_url = f"http://127.0.0.1:{server.server_port}"
    events_url = os.environ.get("PUBLIC_URL", own_url) + "/events"
    with Client.from_env(ca_file=os.environ.get("BW_CA_FILE"), timeout=5) as client:
        Handler.agents = Agents(client, events_url)
        print(own_url, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except (BwError, LibraryError) as error:
        sys.exit(f"{error}")
