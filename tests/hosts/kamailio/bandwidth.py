"""Kamailio's routing in Python (KEMI): a participant for every caller.

mod_init creates the client before Kamailio forks its workers; each worker opens its own
connections. The settings are in the file that BW_CONFIG_FILE names; BW_ACCOUNT_ID, BW_CLIENT_ID and
BW_CLIENT_SECRET override them. If the file changes, each worker reads its credentials again.
BW_BASE_URL, BW_TOKEN_URL and BW_CA_FILE are for another service than Bandwidth's, such as
bw-sandbox.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, ClassVar

import KSR

from bw_webrtc import BwError, Client, LibraryError, NotFoundError

TIMEOUT = 5.0
"""The timeout of a call in seconds. Choose a shorter time than your callers wait."""
LONGEST_TAG = 50
"""The maximum length of a tag in characters."""
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The id of a participant that does not exist. Reading it has no effect."""


def tag_of(call_id: str) -> str:
    """A Call-ID as a participant's tag, which webhooks contain.

    SIP does not limit the length of a Call-ID. If it is too long for a tag, the tag is its
    beginning and a hash of all of it, so that calls with similar ids have different tags.
    """
    if len(call_id) <= LONGEST_TAG:
        return call_id
    digest = hashlib.sha256(call_id.encode()).hexdigest()[:32]
    return f"{call_id[: LONGEST_TAG - len(digest) - 1]}~{digest}"


def settings_version() -> tuple[int, int, int, int] | None:
    """Which version of the settings file exists. None if there is no file."""
    try:
        about = Path(os.environ["BW_CONFIG_FILE"]).stat()
    except (KeyError, OSError):
        return None
    # A chmod changes only the last.
    return about.st_ino, about.st_mtime_ns, about.st_size, about.st_ctime_ns


class Routing:
    """The methods that Kamailio calls."""

    PROBE: ClassVar[dict[str, Any]] = {"operation": "getParticipant", "participantId": NOBODY}
    """A call without an effect, which mod_init makes."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._version: tuple[int, int, int, int] | None = None
        # Kamailio does not start if this raises. It must start without the service, so a problem is
        # only logged here, before the first caller meets it.
        try:
            # The access token of this call is inherited by the workers.
            self.client().call({**self.PROBE, "timeoutMs": 3000})
        except NotFoundError:
            pass
        except (BwError, LibraryError) as error:
            KSR.err(f"bandwidth: calls will fail until this is fixed: {error}\n")

    def client(self) -> Client:
        """The client. If mod_init could not create it, this call tries again."""
        version = settings_version()
        if self._client is None:
            self._client = Client.from_env(ca_file=os.environ.get("BW_CA_FILE"), timeout=TIMEOUT)
        elif version != self._version:
            try:
                KSR.info(f"bandwidth: {self._client.reload()}\n")
            except BwError as error:
                KSR.err(f"bandwidth: the old credentials are still used: {error}\n")
        # Before the next version is written, this one is not read again.
        self._version = version
        return self._client

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
        """Creates the caller's participant. Returns the status and reason of the reply."""
        try:
            created = self.client().create_participant(
                publish_permissions=["AUDIO"], tag=tag_of(KSR.pv.get("$ci"))
            )
        except (BwError, LibraryError) as error:
            KSR.err(f"bandwidth: {error}\n")
            return 503, error.name if isinstance(error, BwError) else "Library not found"
        return 200, str(created.participant.tag)


def mod_init() -> Routing:
    """Called once, before Kamailio forks."""
    return Routing()
