"""Memory with 64 warm TLS connections, used by 64 concurrent threads."""

from __future__ import annotations

from .clients import CURL, NAMES, OURS
from .figures import median, ratio
from .goals import GOALS, Row
from .running import Figures, Rounds, measure, turns
from .servers import responder
from .tables import Found, size, table

WARM = 64
CALLS = 20
"""Calls of each thread. The server responds when all threads have sent a request."""


def run(count: int) -> Rounds:
    """All rounds."""
    with responder(True, together=WARM) as server:

        def one(client: str) -> Figures:
            server.counted()
            figures = measure(client, server, CALLS, WARM)
            opened, _ = server.counted()
            assert opened == WARM, f"{client} opened {opened} connections"
            return {**figures, "added": figures["warm"] - figures["empty"]}

        return turns((OURS, CURL), count, one)


def found(rounds: Rounds) -> Found:
    """The goal applies to all private memory of the process."""
    out = Found()
    share = ratio(rounds, OURS, CURL, "warm")
    mine, theirs = (size(median(rounds, client, "warm")) for client in (OURS, CURL))
    out.rows = [Row(GOALS["memory"], share.middle, mine, NAMES[CURL], theirs, share)]
    lines = []
    for what, figure, divisor in (
        ("private and written, whole process", "warm", 1),
        ("private and written, before the first call", "empty", 1),
        ("added per connection and thread", "added", WARM),
        ("resident, with shared libraries", "resident", 1),
    ):
        figures = (size(median(rounds, client, figure) / divisor) for client in (OURS, CURL))
        lines.append((what, *figures, ratio(rounds, OURS, CURL, figure)))
    out.text = table(("memory", "ours", "libcurl", "ratio"), lines)
    if share.middle > 1:
        out.lost.append(f"libcurl needs less memory for 64 warm TLS connections: {share}.")
    return out
