"""Like bandwidth.py, for BRTC: an endpoint for every caller, which ends with the call.

The table "endpoints" of kamailio-endpoint.cfg, which all workers share, contains the endpoint of
each Call-ID. For another service than Bandwidth's, set BW_ENDPOINTS_URL as well.
"""

from __future__ import annotations

from typing import Any, ClassVar

import KSR

from bandwidth import NOBODY, Routing
from bw_webrtc import BwError, LibraryError, NotFoundError

TABLE = "endpoints"


class EndpointRouting(Routing):
    """The methods that Kamailio calls."""

    PROBE: ClassVar[dict[str, Any]] = {"operation": "getEndpoint", "endpointId": f"e-{NOBODY}"}

    def ksr_request_route(self, message: object) -> int:
        """Called for every request."""
        method = KSR.pv.get("$rm")
        if method == "OPTIONS":
            KSR.sl.sl_send_reply(200, "Alive")
        # A transaction absorbs retransmissions, which would create further endpoints.
        elif KSR.tm.t_newtran() > 0:
            KSR.tm.t_reply(*(self.delete() if method == "BYE" else self.create()))
        return 1

    def create(self) -> tuple[int, str]:
        """Creates the caller's endpoint. The reason of the reply is its id."""
        call_id = KSR.pv.get("$ci")
        # Another request of the same call.
        known = KSR.pv.get(f"$sht({TABLE}=>$ci)")
        if known:
            return 200, str(known)
        body = {"type": "WEBRTC", "direction": "BIDIRECTIONAL", "tag": call_id[:1024]}
        try:
            created = self.client().call({"operation": "createEndpoint", "body": body})
        except (BwError, LibraryError) as error:
            KSR.err(f"bandwidth: {error}\n")
            return 503, error.name if isinstance(error, BwError) else "Library not found"
        # created["data"]["token"] is for the caller's device, and is returned only once.
        endpoint_id = str(created["data"]["endpointId"])
        KSR.htable.sht_sets(TABLE, call_id, endpoint_id)
        return 200, endpoint_id

    def delete(self) -> tuple[int, str]:
        """Deletes the caller's endpoint, which otherwise counts towards the quota for 24 hours."""
        endpoint_id = KSR.pv.get(f"$sht({TABLE}=>$ci)")
        if not endpoint_id:
            return 481, "Call does not exist"
        try:
            self.client().call({"operation": "deleteEndpoint", "endpointId": endpoint_id})
        except NotFoundError:
            pass  # it has expired
        except (BwError, LibraryError) as error:
            KSR.err(f"bandwidth: {endpoint_id} was not deleted: {error}\n")
        KSR.htable.sht_rm(TABLE, KSR.pv.get("$ci"))
        return 200, "OK"


def mod_init() -> EndpointRouting:
    """Called once, before Kamailio forks."""
    return EndpointRouting()
