"""Every client over a link of 20 ms, which is what users have.

The responder delays its responses.
"""

from __future__ import annotations

from .clients import NAMES, NATIVE, OURS, RAW, SCRIPTED, is_scripted
from .figures import median, ratio
from .goals import FORMS, GOALS, LINK_MS, Row
from .running import CORE, Figures, Rounds, measure, turns
from .servers import responder
from .tables import Found, number, table

CALLS = {False: 50, True: 25}
"""In a round; fewer in Python."""


def run(count: int) -> dict[str, Rounds]:
    """All rounds, by form."""
    results: dict[str, Rounds] = {}
    for form, tls in FORMS.items():
        with responder(tls, CORE, delay=LINK_MS) as server:

            def one(client: str) -> Figures:
                return measure(client, server, CALLS[is_scripted(client)], core=CORE)

            results[form] = {**turns(NATIVE, count, one), **turns(SCRIPTED, count, one)}
    return results


def found(results: dict[str, Rounds]) -> Found:
    """The goal compares with the raw socket."""
    out = Found()
    lines = []
    for form, rounds in results.items():
        beside = ratio(rounds, OURS, RAW, "p50")
        mine, theirs = (f"{number(median(rounds, client, 'p50'))} µs" for client in (OURS, RAW))
        out.rows.append(Row(GOALS[f"link {form}"], beside.middle, mine, NAMES[RAW], theirs, beside))
        for client in rounds:
            figures = (number(median(rounds, client, name)) for name in ("p50", "p99", "cpu"))
            lines.append((form, NAMES[client], *figures, ratio(rounds, client, RAW, "p50")))
    out.text = table(("", "client", "p50 µs", "p99 µs", "CPU µs", "p50 ÷ raw socket"), lines)
    return out
