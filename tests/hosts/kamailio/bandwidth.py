"""Kamailio's routing in Python (KEMI): a participant for every caller.

The client is made in mod_init, before Kamailio forks its workers: each of them makes connections
of its own. BW_ACCOUNT_ID, BW_USERNAME and BW_PASSWORD hold the credentials, BW_BASE_URL and
BW_CA_FILE name another service than Bandwidth's, such as bw-sandbox.
"""

from __future__ import annotations

import os

import KSR

from bw_webrtc import BwError, Client


class Routing:
    """What Kamailio calls."""

    def __init__(self) -> None:
        self.client = Client(
            os.environ["BW_ACCOUNT_ID"],
            os.environ["BW_USERNAME"],
            os.environ["BW_PASSWORD"],
            base_url=os.environ.get("BW_BASE_URL"),
            ca_file=os.environ.get("BW_CA_FILE"),
        )
        # Shows a wrong password at the start rather than to the first caller.
        started = self.client.create_participant(tag="mod_init")
        self.client.delete_participant(started.id)

    def child_init(self, rank: int) -> int:
        """Called in every worker."""
        return 0

    def ksr_request_route(self, message: object) -> int:
        """Called for every request."""
        if KSR.pv.get("$rm") == "OPTIONS":
            KSR.sl.sl_send_reply(200, "Alive")
        else:
            KSR.sl.sl_send_reply(*self.create())
        return 1

    def create(self) -> tuple[int, str]:
        """Creates the caller's participant; the reply's status and reason."""
        try:
            # The call's id, which a webhook will bring back.
            created = self.client.create_participant(
                publish_permissions=["AUDIO"], tag=KSR.pv.get("$ci")
            )
        except BwError as error:
            KSR.err(f"{error}\n")
            return 503, error.name
        return 200, str(created.participant.tag)


def mod_init() -> Routing:
    """Called once, before Kamailio forks."""
    return Routing()
