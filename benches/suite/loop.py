"""The queue and libcurl's multi interface, each in one event loop."""

from __future__ import annotations

from dataclasses import dataclass

from .clients import LOOP_CURL, LOOP_OURS, NAMES
from .figures import median, ratio
from .goals import GOALS, IN_FLIGHT, TAKES, Row
from .running import Figures, Rounds, measure, turns
from .servers import responder
from .tables import Found, number, size, table

SECONDS = 2
"""The approximate duration of a run if client and server needed no CPU time."""


@dataclass(frozen=True)
class Point:
    """A number of calls in flight, and the delay of the service in milliseconds."""

    in_flight: int
    takes: int
    rounds: Rounds


def point(in_flight: int, takes: int, count: int) -> Point:
    """All rounds with one number of calls in flight."""
    # A core cannot sustain a thousand concurrent calls of 20 ms.
    calls = max(SECONDS * 1000 // takes * 64 // in_flight, 10)
    with responder(False, delay=takes) as server:

        def one(client: str) -> Figures:
            return measure(client, server, calls, in_flight)

        return Point(in_flight, takes, turns((LOOP_OURS, LOOP_CURL), count, one))


def run(count: int) -> list[Point]:
    """All points."""
    return [point(in_flight, takes, count) for in_flight in IN_FLIGHT for takes in TAKES]


def found(points: list[Point]) -> Found:
    """The goals, for each point."""
    out = Found()
    lines = []
    for at in points:
        name = f"{at.in_flight} {at.takes}"
        for figure, better in (("rate", "more calls per second"), ("cpu", "less CPU per call"),
                               ("warm", "less memory")):  # fmt: skip
            share = ratio(at.rounds, LOOP_OURS, LOOP_CURL, figure)
            show = size if figure == "warm" else number
            ours, theirs = (
                show(median(at.rounds, client, figure)) for client in (LOOP_OURS, LOOP_CURL)
            )
            goal = GOALS[f"loop {figure} {name}"]
            out.rows.append(Row(goal, share.middle, ours, NAMES[LOOP_CURL], theirs, share))
            if (share.middle < 1) == (figure == "rate"):
                out.lost.append(
                    f"libcurl's multi interface: {better} with {at.in_flight} calls of "
                    f"{at.takes} ms in flight: {share}."
                )
        gaps = [median(at.rounds, client, "gap") for client in (LOOP_OURS, LOOP_CURL)]
        out.rows.append(
            Row(GOALS[f"loop gap {name}"], gaps[0], f"{number(gaps[0])} ms", NAMES[LOOP_CURL],
                f"{number(gaps[1])} ms")
        )  # fmt: skip
        for client in (LOOP_OURS, LOOP_CURL):
            figures = (number(median(at.rounds, client, each)) for each in ("rate", "cpu", "gap"))
            memory = size(median(at.rounds, client, "warm"))
            lines.append((f"{at.in_flight} of {at.takes} ms", NAMES[client], *figures, memory))
    out.text = table(
        ("calls in flight", "client", "calls per second", "CPU µs", "longest gap ms", "memory"),
        lines,
    )
    return out
