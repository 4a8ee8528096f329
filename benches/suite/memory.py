"""Memory with 64 warm TLS connections, in use by as many threads at once."""

from __future__ import annotations

from .clients import CURL, NAMES, OURS
from .figures import median, ratio
from .goals import GOALS, Row
from .running import Figures, Rounds, measure, turns
from .servers import responder
from .tables import Found, size, table

WARM = 64
CALLS = 20
"""By each thread; all are under way at once, since the server waits for all before it answers."""


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
    """The goal is held to all memory of the process's own."""
    out = Found()
    beside = ratio(rounds, OURS, CURL, "warm")
    mine, theirs = (size(median(rounds, client, "warm")) for client in (OURS, CURL))
    out.rows = [Row(GOALS["memory"], beside.middle, mine, NAMES[CURL], theirs, beside)]
    lines = []
    for what, figure, share in (
        ("private and written to, the whole process", "warm", 1),
        ("of it before anything was done", "empty", 1),
        ("added, a connection and its thread", "added", WARM),
        ("resident, with shared libraries", "resident", 1),
    ):
        figures = (size(median(rounds, client, figure) / share) for client in (OURS, CURL))
        lines.append((what, *figures, ratio(rounds, OURS, CURL, figure)))
    out.text = table(("memory", "ours", "libcurl", "ratio"), lines)
    if beside.middle > 1:
        out.lost.append(f"libcurl needs less memory for 64 warm TLS connections: {beside}.")
    return out
