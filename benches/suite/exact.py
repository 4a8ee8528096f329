"""Measurements without noise: system calls, instructions, allocations, and the library file."""

from __future__ import annotations

from .artefact import newest_glibc, size
from .clients import CURL, NAMES, NATIVE, OURS
from .counting import allocations, instructions, lookups, syscalls
from .goals import FORMS, GOALS, Row
from .places import SHIPPED
from .servers import responder
from .tables import Found, number, table


def found() -> Found:
    """Runs all counts."""
    out = Found()
    lines = []
    for form, tls in FORMS.items():
        with responder(tls) as server:
            calls = {client: syscalls(client, server) for client in NATIVE}
            sums = {client: sum(counts.values()) for client, counts in calls.items()}
            work = {client: instructions(client, server) for client in NATIVE}
            ask = {client: allocations(client, server) for client in NATIVE}
            for client, asked in ask.items():
                named = ", ".join(f"{name} {count:g}" for name, count in calls[client].items())
                lines.append(
                    (
                        f"{NAMES[client]}, {form}",
                        f"{sums[client]:.2f} ({named})",
                        f"{work[client]:,.0f}",
                        f"{work[client] / work[CURL]:.2f}",
                        f"{asked.count:.1f}",
                        f"{asked.bytes:,.0f}",
                    )
                )
            # One additional poll in 1000 calls is rounded away.
            goal = GOALS[f"syscalls {form}"]
            share = sums[OURS] / sums[CURL]
            out.rows.append(
                Row(goal, round(sums[OURS], 1), number(sums[OURS]), NAMES[CURL], number(sums[CURL]),
                    share)
            )  # fmt: skip
            share = work[OURS] / work[CURL]
            few, many = (f"{work[client]:,.0f}" for client in (OURS, CURL))
            goal = GOALS[f"instructions {form}"]
            out.rows.append(Row(goal, share, few, NAMES[CURL], many, share))
            if not tls:
                count = ask[OURS].count
                out.rows.append(Row(GOALS["allocations"], round(count, 1), number(count)))
                count = lookups(server)
                out.rows.append(Row(GOALS["lookups"], count, str(count)))
    megabytes = size(SHIPPED) / 1e6
    out.rows.append(Row(GOALS["size"], megabytes, f"{megabytes:.2f}"))
    major, minor = newest_glibc(SHIPPED)[:2]
    out.rows.append(Row(GOALS["glibc"], major * 100 + minor, f"{major}.{minor}"))
    out.text = table(
        ("client", "system calls", "instructions", "÷ libcurl + cJSON", "allocations", "bytes"),
        lines,
    )
    return out
