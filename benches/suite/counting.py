"""Counts of a warm call without noise: the difference between 1000 and 2000 calls, per call."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .clients import OURS, command
from .places import BUILD
from .running import measure, run
from .servers import NO_TLS, Responder, Server

FEW, MANY = 1000, 2000


def _added(few: float, many: float) -> float:
    return (many - few) / (MANY - FEW)


def syscalls(client: str, server: Server) -> dict[str, float]:
    """The system calls by name."""
    counts = []
    for calls in (FEW, MANY):
        out = BUILD / "strace"
        run(["strace", "-f", "-c", "-o", str(out), *command(client, server, calls)])
        rows = (line.split() for line in out.read_text().splitlines())
        counts.append({row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()})
    few, many = counts
    names = sorted((set(few) | set(many)) - {"total"})
    added = {name: _added(few.get(name, 0), many.get(name, 0)) for name in names}
    # Events such as a growing heap, once in 1000 calls, are not counted.
    return {name: round(count, 2) for name, count in added.items() if count >= 0.01}


def instructions(client: str, server: Server) -> float:
    """The instructions, as counted by callgrind."""
    totals = []
    for calls in (FEW, MANY):
        log = BUILD / "callgrind.log"
        run(
            [
                *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
                f"--log-file={log}",
                *command(client, server, calls),
            ]
        )
        found = re.search(r"Collected : (\d+)", log.read_text())
        assert found, log.read_text()
        totals.append(int(found[1]))
    return _added(*totals)


@dataclass(frozen=True)
class Allocations:
    """The number and the size of the allocations of a call."""

    count: float
    bytes: float


def allocations(client: str, server: Server) -> Allocations:
    """The allocations, as counted by a preloaded library."""
    totals = []
    for calls in (FEW, MANY):
        out = BUILD / "allocations"
        out.unlink(missing_ok=True)
        # env preloads the library into the client only.
        preloaded = [f"LD_PRELOAD={BUILD / 'allocations.so'}", f"ALLOCATIONS_FILE={out}"]
        run(["env", *preloaded, *command(client, server, calls)])
        totals.append([int(number) for number in out.read_text().split()])
    few, many = totals
    return Allocations(_added(few[0], many[0]), _added(few[1], many[1]))


def lookups(server: Server, calls: int = 1000) -> int:
    """The lookups of the server's name by this library, as counted by a preloaded resolver."""
    out = BUILD / "lookups"
    out.unlink(missing_ok=True)
    preloaded = [
        f"LD_PRELOAD={BUILD / 'resolver_shim.so'}",
        f"SHIM_COUNT_FILE={out}",
        "SHIM_ADDRESSES=127.0.0.1",
    ]
    run(["env", *preloaded, *command(OURS, server.named("localhost"), calls - 1)])
    return out.stat().st_size


def connections(client: str, server: Responder, calls: int, threads: int) -> int:
    """The connections that the server accepted during ``calls`` calls of each thread."""
    server.counted()
    measure(client, server, calls, threads)
    opened, requests = server.counted()
    # Every thread or worker makes one additional warm-up call.
    assert requests == (calls + 1) * threads, f"{requests} requests arrived"
    return opened


def form_of(server: Server) -> str:
    """The scheme of the server's URL."""
    return "plain" if server.ca_file == NO_TLS else "TLS"
