"""Like bandwidth.py, but the workers that receive requests never wait for the service."""

from __future__ import annotations

import KSR

from bandwidth import Routing

# "async" is a word of Python's own.
TASKS = getattr(KSR, "async")


class AsyncRouting(Routing):
    """The methods that Kamailio calls."""

    def ksr_request_route(self, message: object) -> int:
        """Called for every request, in a worker that receives requests."""
        if KSR.pv.get("$rm") == "OPTIONS":
            KSR.sl.sl_send_reply(200, "Alive")
        elif KSR.tm.t_newtran() > 0:
            TASKS.task_route("create_later")
        return 1

    def create_later(self, message: object) -> int:
        """Called in one of Kamailio's asynchronous workers."""
        KSR.tm.t_reply(*self.create())
        return 1


def mod_init() -> AsyncRouting:
    """Called once, before Kamailio forks."""
    return AsyncRouting()
