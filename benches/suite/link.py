"""All clients over a link of 20 ms, simulated by the delay of each response."""

from __future__ import annotations

from .clients import CURL, NAMES, NATIVE, OURS, OURS_PYTHON, RAW, SCRIPTED, is_scripted
from .figures import median, ratio
from .goals import FORMS, GOALS, Row
from .running import CORE, Figures, Rounds, measure, turns
from .servers import responder
from .tables import Found, number, table

DELAY = 20
"""In milliseconds."""
CALLS = 50
"""Calls per round."""


def run(count: int) -> dict[str, Rounds]:
    """Runs all rounds, plain and over TLS."""
    results: dict[str, Rounds] = {}
    for form, tls in FORMS.items():
        with responder(tls, CORE, delay=DELAY) as server:

            def one(client: str) -> Figures:
                return measure(client, server, CALLS, core=CORE)

            results[form] = turns((*NATIVE, *SCRIPTED), count, one)
    return results


def found(results: dict[str, Rounds]) -> Found:
    """The goal is that the library adds no noticeable time."""
    out = Found()
    lines = []
    for form, rounds in results.items():
        share = ratio(rounds, OURS, RAW, "p50")
        ours, raw = (f"{number(median(rounds, client, 'p50'))} µs" for client in (OURS, RAW))
        out.rows.append(Row(GOALS[f"link {form}"], share.middle, ours, NAMES[RAW], raw, share))
        for client in rounds:
            reference = OURS_PYTHON if is_scripted(client) else OURS
            figures = (number(median(rounds, client, name)) for name in ("p50", "p99", "cpu"))
            client_share = "1" if client == reference else ratio(rounds, reference, client, "p50")
            lines.append((f"{NAMES[client]}, {form}", *figures, client_share))
        if ratio(rounds, OURS, CURL, "p50").middle > 1:
            out.lost.append(f"libcurl + cJSON responds sooner over a link of {DELAY} ms, {form}.")
    out.text = table(
        ("client", "p50 µs", "p99 µs", "CPU µs", "p50 of libbw_webrtc ÷ client"), lines
    )
    return out
