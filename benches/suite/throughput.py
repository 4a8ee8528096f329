"""Many threads on one client, and the queue: calls per second, CPU per call, connections opened.

The measurement runs twice. On both cores, the result depends on how the scheduler places the
threads of client and server, so the range shows several modes. With server and client on one
core, only the work counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .clients import CURL, NAMES, OURS, QUEUE
from .figures import median, ratio
from .goals import FORMS, GOALS, THREADS, Row
from .running import CORE, Figures, Rounds, measure, turns
from .servers import responder
from .tables import Found, number, table

CALLS = 16_000
"""Calls of all threads together, per round."""
CLIENTS = (OURS, QUEUE, CURL)
PLACES: dict[str, int | None] = {"both cores": None, "one core": CORE}


@dataclass(frozen=True)
class Point:
    """The results with a number of threads."""

    form: str
    place: str
    threads: int
    rounds: Rounds

    def most_opened(self, client: str) -> int:
        """The maximum number of connections that a run opened."""
        return int(max(turn["opened"] for turn in self.rounds[client]))


def point(form: str, place: str, threads: int, count: int, clients: Iterable[str]) -> Point:
    """Runs all rounds with this number of threads."""
    core = PLACES[place]
    calls = max(CALLS // threads, 50)
    with responder(FORMS[form], core) as server:

        def one(client: str) -> Figures:
            server.counted()
            figures = measure(client, server, calls, threads, core)
            opened, requests = server.counted()
            # Every thread or worker makes one additional warm-up call.
            assert requests == (calls + 1) * threads, f"{requests} requests arrived"
            return {**figures, "opened": opened}

        return Point(form, place, threads, turns(tuple(clients), count, one))


def run(count: int) -> list[Point]:
    """Runs all combinations."""
    return [
        point(form, place, threads, count, CLIENTS)
        for place in PLACES
        for form in FORMS
        for threads in THREADS
    ]


def found(points: list[Point]) -> Found:
    """The goals apply to the results on both cores."""
    out = Found()
    lines = []
    for at in points:
        for client in CLIENTS:
            rates = [turn["rate"] for turn in at.rounds[client]]
            lines.append(
                (
                    f"{at.threads}, {at.form}, {at.place}",
                    NAMES[client],
                    f"{median(at.rounds, client, 'rate'):,.0f}",
                    f"{min(rates):,.0f} to {max(rates):,.0f}",
                    *(number(median(at.rounds, client, name)) for name in ("p50", "p99", "cpu")),
                    at.most_opened(client),
                    "" if client == CURL else ratio(at.rounds, client, CURL, "rate"),
                )
            )
        share = ratio(at.rounds, OURS, CURL, "rate")
        if share.middle < 1:
            out.lost.append(
                f"libcurl makes more calls per second with {at.threads} threads, {at.form}, "
                f"{at.place}: libbw_webrtc makes {share} of them."
            )
        if at.place != "both cores":
            continue
        name = f"{at.threads} {at.form}"
        mine, theirs = (f"{median(at.rounds, client, 'rate'):,.0f}" for client in (OURS, CURL))
        out.rows.append(
            Row(GOALS[f"throughput {name}"], share.middle, mine, NAMES[CURL], theirs, share)
        )
        opened = [at.most_opened(client) for client in (OURS, QUEUE)]
        out.rows.append(
            Row(
                GOALS[f"connections {name}"],
                max(opened),
                " and ".join(map(str, opened)),
                NAMES[CURL],
                str(at.most_opened(CURL)),
            )
        )
    out.text = table(
        ("threads or workers", "client", "calls per second", "range", "p50 µs", "p99 µs", "CPU µs",
         "connections", "rate of libbw_webrtc ÷ libcurl"),
        lines,
    )  # fmt: skip
    return out
