"""One event loop with many calls in progress: the queue and libcurl's multi interface."""

from __future__ import annotations

from .clients import LOOP, LOOP_CURL, NAMES
from .figures import median, ratio
from .goals import GOALS, LOOPS, Row
from .running import Figures, Rounds, measure, turns
from .servers import responder
from .tables import Found, number, size, table

SECONDS = 2
"""How long a run takes if the service alone limits it."""
MOST_CALLS = 20_000

Loops = dict[tuple[int, int], Rounds]
"""By calls in progress and delay."""


def point(in_progress: int, delay: int, count: int) -> Rounds:
    """All rounds with this many calls in progress at a service that takes this long."""
    calls = min(in_progress * 1000 * SECONDS // delay, MOST_CALLS)
    with responder(False, delay=delay) as server:

        def one(client: str) -> Figures:
            server.counted()
            figures = measure(client, server, calls, in_progress)
            opened, requests = server.counted()
            assert requests == calls + in_progress, f"{requests} requests arrived"
            assert opened <= in_progress, f"{client} opened {opened} connections"
            return figures

        return turns((LOOP, LOOP_CURL), count, one)


def run(count: int) -> Loops:
    """All rounds."""
    return {(in_progress, delay): point(in_progress, delay, count) for in_progress, delay in LOOPS}


def found(results: Loops) -> Found:
    """The goals are held to the medians of all rounds; the gap is this library's alone."""
    out = Found()
    lines = []
    for (in_progress, delay), rounds in results.items():
        name = f"{in_progress} {delay}"
        ratios = {}
        for figure, goal in (("rate", "rate"), ("cpu", "cpu"), ("warm", "memory")):
            beside = ratios[figure] = ratio(rounds, LOOP, LOOP_CURL, figure)
            mine, theirs = (
                (size if figure == "warm" else number)(median(rounds, client, figure))
                for client in (LOOP, LOOP_CURL)
            )
            out.rows.append(
                Row(
                    GOALS[f"loop {goal} {name}"],
                    beside.middle,
                    mine,
                    NAMES[LOOP_CURL],
                    theirs,
                    beside,
                )
            )
        mine_ms, theirs_ms = (median(rounds, client, "gap") / 1000 for client in (LOOP, LOOP_CURL))
        out.rows.append(
            Row(
                GOALS[f"loop gap {name}"],
                mine_ms,
                f"{mine_ms:.1f} ms",
                NAMES[LOOP_CURL],
                f"{theirs_ms:.1f} ms",
            )
        )
        place = f"{in_progress} calls of {delay} ms"
        if ratios["rate"].middle < 1:
            beside = ratios["rate"]
            out.lost.append(f"libcurl multi makes more calls a second with {place}: {beside}.")
        for figure, what in (("cpu", "CPU"), ("warm", "memory")):
            if ratios[figure].middle > 1:
                out.lost.append(f"libcurl multi needs less {what} with {place}: {ratios[figure]}.")
        for client in (LOOP, LOOP_CURL):
            middle = {name: median(rounds, client, name) for name in rounds[client][0]}
            lines.append(
                (
                    place,
                    NAMES[client],
                    *(number(middle[name]) for name in ("rate", "p50", "p99", "cpu")),
                    size(middle["warm"]),
                    f"{middle['gap'] / 1000:.2f}",
                )
            )
    head = ("calls a second", "p50 µs", "p99 µs", "CPU µs", "memory", "longest gap, ms")
    out.text = table(("in progress", "client", *head), lines)
    return out
