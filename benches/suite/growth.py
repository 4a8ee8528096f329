"""Cost as the work grows: participants, threads, bytes of a response, clients in a process."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .clients import CURL, OURS
from .figures import LINEAR, exponent, median
from .goals import FORMS, GOALS, Row
from .places import BUILD
from .running import CORE, Figures, Rounds, measure, run, turns
from .servers import NO_TLS, responder, sandbox
from .tables import Found, number, size, table

PARTICIPANTS = (1, 10, 100, 1000, 10_000)
THREADS = (1, 2, 4, 8, 16, 32, 64)
BYTES = (100, 1 << 10, 10 << 10, 100 << 10, 1 << 20)
CLIENTS = (1, 10, 100, 1000)
CALLS_OF_THREADS = 6400
TURNS = 3
LIBCURL = "libcurl"


@dataclass
class Curve:
    """The cost for each size of the work, for one client."""

    name: str
    ours: bool
    costs: list[tuple[int, float]] = field(default_factory=list)
    """Pairs of size and total cost."""

    @property
    def exponent(self) -> float:
        """The exponent of the growth over the last tenfold of the size."""
        return exponent(self.costs)


@dataclass
class Growth:
    """A dimension in which the work grows."""

    title: str
    of: str
    """The unit of the size."""
    unit: str
    each: bool
    """Whether the cost is shown per unit of the size, or in total."""
    curves: list[Curve]
    show: Callable[[float], str] = number
    pictured: bool = True

    def shown(self, curve: Curve) -> list[tuple[int, float]]:
        """The points as they are shown: per unit or in total."""
        return [(size, cost / size if self.each else cost) for size, cost in curve.costs]


def participants(quick: bool) -> list[Growth]:
    """The work of a bridge with one client, at bw-sandbox."""
    cpu, memory = Curve("libbw_webrtc", True), Curve("libbw_webrtc", True)
    for count in PARTICIPANTS[: 4 if quick else None]:
        with sandbox() as server:
            # Small work is repeated, since one run is shorter than the clock's resolution.
            done = [
                json.loads(run([str(BUILD / "work"), server.url, str(count)]))
                for _ in range(1 if count >= 1000 else TURNS)
            ]
        cpu.costs.append((count, min(one["cpu"] for one in done)))
        memory.costs.append((count, min(one["end"] - one["empty"] for one in done)))
    return [
        Growth("participants", "participants", "µs of CPU per participant", True, [cpu]),
        Growth(
            "memory of the client afterwards",
            "participants",
            "bytes in total",
            False,
            [memory],
            size,
        ),
    ]


def threads(quick: bool) -> list[Growth]:
    """Many threads on one client, on both cores: the total CPU time of a fixed number of calls."""
    curves = {OURS: Curve("libbw_webrtc", True), CURL: Curve(LIBCURL, False)}
    with responder(False) as server:
        for count in THREADS:
            calls = max(CALLS_OF_THREADS // count, 50)
            rounds = _turns(lambda client: measure(client, server, calls, count), quick)  # noqa: B023
            for client, curve in curves.items():
                curve.costs.append((count, median(rounds, client, "cpu") * count))
    unit = "µs of CPU per call"
    return [Growth("threads on one client", "threads", unit, True, list(curves.values()))]


def bodies(quick: bool) -> list[Growth]:
    """Responses of increasing length, up to the default maximum."""
    curves = {OURS: Curve("libbw_webrtc", True), CURL: Curve(LIBCURL + " + cJSON", False)}
    for count in BYTES:
        calls = 200 if count > 50_000 else 1000
        with responder(False, CORE, response_bytes=count) as server:
            rounds = _turns(lambda client: measure(client, server, calls, core=CORE), quick)  # noqa: B023
        for client, curve in curves.items():
            curve.costs.append((count, median(rounds, client, "cpu")))
    return [
        Growth("bytes of a response", "bytes", "µs of CPU per call", False, list(curves.values()))
    ]


def clients(quick: bool) -> list[Growth]:
    """Many clients in a process: the cost of creating and of connecting each client."""
    growths = []
    for form, tls in FORMS.items():
        programs = {"many_ours": "libbw_webrtc", "many_curl": LIBCURL}
        made, warm, start = (
            {program: Curve(name, name != LIBCURL) for program, name in programs.items()}
            for _ in range(3)
        )
        with responder(tls) as server:
            for count in CLIENTS[: 3 if quick else None]:
                for program in programs:
                    words = [str(BUILD / program), server.url, server.ca_file, str(count)]
                    done = [json.loads(run(words)) for _ in range(TURNS)]
                    # Noise only increases the figures.
                    figures = {name: min(one[name] for one in done) for name in done[0]}
                    # The kernel counts pages, and a new client may fit into existing pages.
                    made[program].costs.append((count, max(figures["made"], 1)))
                    warm[program].costs.append((count, max(figures["warm"], 1)))
                    start[program].costs.append((count, figures["start"]))
        one = "clients"
        growths += [
            Growth(
                f"clients created, {form}", one, "bytes per client", True, [*made.values()], size
            ),
            Growth(
                f"clients connected, {form}", one, "bytes per client", True, [*warm.values()], size
            ),
            Growth(
                *(
                    f"creating clients, {form}",
                    one,
                    "µs of CPU per client",
                    True,
                    [*start.values()],
                ),
                pictured=tls,
            ),
        ]
    return growths


def default_client() -> Figures:
    """The cost of one of many unconnected clients that trust the bundled authorities."""
    count = CLIENTS[-1]
    figures: Figures = json.loads(
        run([str(BUILD / "many_ours"), "https://127.0.0.1:9/v1", NO_TLS, str(count), "unconnected"])
    )
    return {name: value / count for name, value in figures.items()}


def _turns(one: Callable[[str], Figures], quick: bool) -> Rounds:
    return turns((OURS, CURL), 1 if quick else TURNS, one)


def run_all(quick: bool) -> list[Growth]:
    """Runs all dimensions."""
    return [*participants(quick), *threads(quick), *bodies(quick), *clients(quick)]


def found(growths: Sequence[Growth], default: Figures) -> Found:
    """Creates a table for each dimension, and checks that no cost grows faster than linearly."""
    out = Found()
    worst, where = 0.0, ""
    for growth in growths:
        sizes = [count for count, _ in growth.curves[0].costs]
        lines = []
        for curve in growth.curves:
            grows = curve.exponent
            verdict = "" if grows <= LINEAR else ": **faster than linearly**"
            shown = (growth.show(cost) for _, cost in growth.shown(curve))
            lines.append((curve.name, *shown, f"n^{grows:.2f}{verdict}"))
            if curve.ours and grows > worst:
                worst, where = grows, growth.title
        head = (f"{growth.title}: {growth.unit}", *(f"{count:,}" for count in sizes), "grows as")
        out.text += table(head, lines) + "\n"
        if len(growth.curves) > 1:
            (_, mine), (_, theirs) = (growth.shown(curve)[-1] for curve in growth.curves)
            if mine > theirs:
                out.lost.append(
                    f"libcurl needs less with {sizes[-1]:,} {growth.of} ({growth.title}, "
                    f"{growth.unit}): {growth.show(theirs)}, ours {growth.show(mine)}."
                )
    out.text += (
        f"A client with the bundled authorities, the default, costs {size(default['made'])} and "
        f"{number(default['start'])} µs of CPU to make, as one of {CLIENTS[-1]:,}.\n"
    )
    out.rows.append(Row(GOALS["linear"], worst, f"{worst:.2f}, {where}"))
    return out
