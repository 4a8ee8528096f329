"""One call after the other: p50, p99 and CPU of every client, at the responder and at nginx."""

from __future__ import annotations

from .clients import CURL, NAMES, NATIVE, OURS, OURS_PYTHON, RAW, SCRIPTED, is_ours, is_scripted
from .figures import Ratio, median, ratio
from .goals import FORMS, GOALS, Row
from .running import CORE, Figures, Rounds, measure, turns
from .servers import nginx, responder
from .tables import Found, number, table

CALLS = {False: 3000, True: 400}
"""Calls per round; fewer for clients in Python."""
SERVERS = {"responder": responder, "nginx": nginx}
Latencies = dict[tuple[str, str], Rounds]
"""The rounds by server and form."""


def run(count: int) -> Latencies:
    """Runs all rounds."""
    results: Latencies = {}
    for name, start in SERVERS.items():
        for form, tls in FORMS.items():
            with start(tls, CORE) as server:

                def one(client: str) -> Figures:
                    return measure(client, server, CALLS[is_scripted(client)], core=CORE)

                results[name, form] = {
                    **turns(NATIVE, count, one),
                    **turns(SCRIPTED, count, one),
                }
    return results


def reference(client: str) -> str:
    """The variant of this library with which a client is compared."""
    return OURS_PYTHON if is_scripted(client) else OURS


def row(goal: str, rounds: Rounds, one: str, other: str) -> Row:
    """The median calls of two clients, compared with a goal."""
    middle = ratio(rounds, one, other, "p50")
    ours, theirs = (f"{number(median(rounds, client, 'p50'))} µs" for client in (one, other))
    return Row(GOALS[goal], middle.middle, ours, NAMES[other], theirs, middle)


def found(results: Latencies) -> Found:
    """The goals are those at the responder; nginx is shown for comparison."""
    out = Found()
    lost: dict[tuple[str, str], list[str]] = {}
    for form in FORMS:
        rounds = results["responder", form]
        out.rows.append(row(f"curl {form}", rounds, OURS, CURL))
        out.rows.append(row(f"raw {form}", rounds, OURS, RAW))
        for peer in ("bandwidth", "requests", "pycurl"):
            name = f"python:{peer}"
            out.rows.append(row(f"python {peer} {form}", rounds, OURS_PYTHON, name))
    for (server, form), rounds in results.items():
        lines = []
        for client in rounds:
            share: Ratio | str = "1"
            if client not in (OURS, OURS_PYTHON):
                share = ratio(rounds, reference(client), client, "p50")
                if not is_ours(client) and share.middle > 1:
                    pair = (NAMES[client], NAMES[reference(client)])
                    lost.setdefault(pair, []).append(
                        f"{share.middle:.2f} times at {server}, {form}"
                    )
            figures = (number(median(rounds, client, name)) for name in ("p50", "p99", "cpu"))
            lines.append((NAMES[client], *figures, share))
        out.text += f"\n### At {server}, {form}\n\n" + table(
            ("client", "p50 µs", "p99 µs", "CPU µs", "p50 of libbw_webrtc ÷ client"), lines
        )
    out.lost = [
        f"{peer} is faster than {ours}, whose median call takes {'; '.join(where)}."
        for (peer, ours), where in lost.items()
    ]
    return out
