"""All goals of the benchmark and limits of the gates."""

from __future__ import annotations

from dataclasses import dataclass

from .figures import Ratio


@dataclass(frozen=True)
class Goal:
    """A figure and its limit."""

    figure: str
    limit: float
    at_least: bool = False
    equal: bool = False
    shown: str = ""

    def met(self, value: float) -> bool:
        """Whether this value meets the goal."""
        if self.equal:
            return value == self.limit
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        sign = "" if self.equal else "≥ " if self.at_least else "≤ "
        return self.shown or f"{sign}{self.limit:g}"


@dataclass(frozen=True)
class Row:
    """A goal and the measured value."""

    goal: Goal
    value: float
    """The value that is compared with the goal."""
    ours: str
    peer: str = ""
    theirs: str = ""
    ratio: Ratio | float | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.goal.met(self.value)


THREADS = (2, 8, 64)
IN_FLIGHT = (64, 1000)
TAKES = (20, 200)
"""The response times of the service, in milliseconds."""
FORMS = {"plain": False, "TLS": True}


def _goals() -> dict[str, Goal]:
    goals = {
        "syscalls plain": Goal("system calls per warm call, plain", 4),
        "syscalls TLS": Goal("system calls per warm call, TLS", 4),
        "instructions plain": Goal(
            "instructions per warm call ÷ libcurl + cJSON (callgrind), plain", 0.38
        ),
        "instructions TLS": Goal(
            "instructions per warm call ÷ libcurl + cJSON (callgrind), TLS", 0.38
        ),
        "allocations": Goal("allocations per warm call, plain", 36),
        "curl plain": Goal("p50 ÷ libcurl + cJSON, plain", 0.75),
        "curl TLS": Goal("p50 ÷ libcurl + cJSON, TLS", 0.68),
        "raw plain": Goal("p50 ÷ raw socket, plain", 1.40),
        "raw TLS": Goal("p50 ÷ raw socket, TLS", 1.25),
        "cold small": Goal("new client and first TLS response ÷ libcurl, small CA file", 0.4),
        "cold default": Goal(
            "new client and first TLS handshake ÷ libcurl, each with its default authorities",
            0.1,
        ),
        "cold file": Goal(
            "new client and first TLS response ÷ libcurl, both given a file of the system's bundle "
            "and the server's authority",
            0.1,
        ),
        "cold system": Goal(
            "new client and first TLS handshake ÷ libcurl, both the system's bundle",
            0.1,
        ),
        "lookups": Goal("name lookups for 1000 pooled calls", 1, equal=True),
        "memory": Goal("memory with 64 warm TLS connections ÷ libcurl", 0.5),
        "size": Goal("stripped library, MB", 2.6),
        # The limit is major * 100 + minor.
        "glibc": Goal("highest GLIBC symbol", 217, shown="2.17"),
        "linear": Goal("no cost grows faster than linearly (largest exponent)", 1.1),
    }
    for in_flight in IN_FLIGHT:
        for takes in TAKES:
            where = f"{in_flight} calls of {takes} ms in an event loop"
            for figure, what, limit in (
                ("rate", "calls per second ÷ libcurl multi", 1.1),
                ("cpu", "CPU per call ÷ libcurl multi", 1.15),
                ("warm", "memory ÷ libcurl multi", 1.0),
                ("gap", "longest gap of the event loop, ms", 10),
            ):
                goals[f"loop {figure} {in_flight} {takes}"] = Goal(
                    f"{what}, {where}", limit, at_least=figure == "rate"
                )
    for form in FORMS:
        goals[f"link {form}"] = Goal(f"p50 ÷ raw socket, over a link of 20 ms, {form}", 1.01)
        for peer, most in (("bandwidth", 0.06), ("requests", 0.10), ("pycurl", 0.75)):
            name = {"bandwidth": "bandwidth-sdk"}.get(peer, peer)
            goals[f"python {peer} {form}"] = Goal(f"Python p50 ÷ {name}, {form}", most)
        for threads in THREADS:
            goals[f"throughput {threads} {form}"] = Goal(
                f"calls per second ÷ libcurl, {threads} threads, {form}", 1.25, at_least=True
            )
            goals[f"connections {threads} {form}"] = Goal(
                f"connections opened by {threads} threads and by {threads} workers, {form}",
                threads,
            )
    return goals


GOALS = _goals()
GATE_INSTRUCTIONS = 0.40
"""The limit in CI, a little above the goal: compilers and C libraries differ."""
GATE_OAUTH = 1.03
"""The maximum of instructions per warm call with API credentials ÷ with a user name."""
GATE_BYTES = 3_000_000
"""The limit in CI for the stripped library: above the goal, which was set
before endpoints, settings files and metrics: it misses the goal by 13 %."""
