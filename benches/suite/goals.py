"""Every goal, in one table; nothing else knows them."""

from __future__ import annotations

from dataclasses import dataclass

from .figures import Ratio


@dataclass(frozen=True)
class Goal:
    """What is to be reached."""

    figure: str
    limit: float
    at_least: bool = False
    equal: bool = False
    shown: str = ""

    def met(self, value: float) -> bool:
        """Whether the value reaches it."""
        if self.equal:
            return value == self.limit
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        sign = "" if self.equal else "≥ " if self.at_least else "≤ "
        return self.shown or f"{sign}{self.limit:g}"


@dataclass(frozen=True)
class Row:
    """A goal, and what was measured."""

    goal: Goal
    value: float
    """What is held to the goal."""
    ours: str
    peer: str = ""
    theirs: str = ""
    ratio: Ratio | float | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.goal.met(self.value)


THREADS = (2, 8, 64)
LOOPS = ((64, 20), (1000, 20), (64, 200), (1000, 200))
"""Calls in progress in one event loop, and the milliseconds that the service takes."""
LINK_MS = 20
"""The delay of the link that users have."""
FORMS = {"plain": False, "TLS": True}


def _goals() -> dict[str, Goal]:
    goals = {
        "syscalls plain": Goal("system calls a warm call, plain", 4),
        "syscalls TLS": Goal("system calls a warm call, TLS", 4),
        "instructions": Goal("instructions a warm call ÷ libcurl + cJSON (callgrind)", 0.40),
        "curl plain": Goal("p50 ÷ libcurl + cJSON, plain", 0.70),
        "curl TLS": Goal("p50 ÷ libcurl + cJSON, TLS", 0.65),
        "raw plain": Goal("p50 ÷ raw socket, plain", 1.35),
        "raw TLS": Goal("p50 ÷ raw socket, TLS", 1.25),
        "cold small": Goal("client made and first TLS answer ÷ libcurl, small CA file", 0.5),
        "cold default": Goal(
            "client made and first TLS handshake ÷ libcurl, each with its default authorities", 0.1
        ),
        "cold file": Goal(
            "client made and first TLS answer ÷ libcurl, both given a file of the system's bundle "
            "and the server's authority",
            0.1,
        ),
        "cold system": Goal(
            "client made and first TLS handshake ÷ libcurl, both the system's bundle",
            0.1,
        ),
        "look-ups": Goal("name look-ups for 1000 pooled calls", 1, equal=True),
        "memory": Goal("memory with 64 warm TLS connections ÷ libcurl", 0.8),
        "size": Goal("stripped library, MB", 2.4),
        # Its limit as major * 100 + minor.
        "glibc": Goal("highest GLIBC symbol", 217, shown="2.17"),
        "linear": Goal("nothing grows worse than linearly (largest exponent)", 1.1),
    }
    for calls, delay in LOOPS:
        what = f"{calls} calls of {delay} ms in an event loop"
        goals[f"loop rate {calls} {delay}"] = Goal(
            f"calls a second ÷ libcurl multi, {what}", 1.1, at_least=True
        )
        goals[f"loop cpu {calls} {delay}"] = Goal(f"CPU a call ÷ libcurl multi, {what}", 1.15)
        goals[f"loop memory {calls} {delay}"] = Goal(f"memory ÷ libcurl multi, {what}", 1.0)
        goals[f"loop gap {calls} {delay}"] = Goal(f"longest gap of the loop in ms, {what}", 10)
    for form in FORMS:
        goals[f"link {form}"] = Goal(f"p50 ÷ raw socket over a link of {LINK_MS} ms, {form}", 1.01)
    for form in FORMS:
        for peer, most in (("bandwidth", 0.06), ("requests", 0.10), ("pycurl", 0.75)):
            name = {"bandwidth": "bandwidth-sdk"}.get(peer, peer)
            goals[f"python {peer} {form}"] = Goal(f"Python p50 ÷ {name}, {form}", most)
        for threads in THREADS:
            goals[f"throughput {threads} {form}"] = Goal(
                f"calls a second ÷ libcurl, {threads} threads, {form}", 1.2, at_least=True
            )
            goals[f"connections {threads} {form}"] = Goal(
                f"connections opened by {threads} threads and by {threads} workers, {form}",
                threads,
            )
    return goals


GOALS = _goals()
GATE_INSTRUCTIONS = 0.25
"""What CI holds the instructions to: above what they are (0.15), well below the goal."""
GATE_BYTES = 2_400_000
"""What CI holds the stripped library to."""
