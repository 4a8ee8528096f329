"""The time until the first response over TLS, with few and with many trusted authorities."""

from __future__ import annotations

from dataclasses import dataclass

from .clients import CURL, NAMES, OURS
from .figures import median, ratio
from .goals import GOALS, Row
from .places import BUILD, SYSTEM_BUNDLE
from .running import CORE, Figures, Rounds, measure, turns
from .servers import NO_TLS, certificates, responder
from .tables import Found, table

STARTS = 3
"""Starts per round, since the time of a single start varies much."""


@dataclass(frozen=True)
class Case:
    """The authorities that are loaded, and whether the server's certificate is rejected."""

    goal: str
    what: str
    ours: str
    curl: str
    rejected: bool


def cases() -> list[Case]:
    """If the server's authority is not loaded, the start ends when the certificate is rejected."""
    small = str(certificates().authority)
    whole = BUILD / "bundle.pem"
    whole.write_text(SYSTEM_BUNDLE.read_text() + certificates().authority.read_text())
    return [
        Case("cold small", "the server's authority alone", small, small, rejected=False),
        Case("cold file", "file of the system's bundle and the server's authority",
             str(whole), str(whole), rejected=False),
        Case("cold default", "default: ours its bundled authorities, libcurl the system's",
             NO_TLS, NO_TLS, rejected=True),
        Case("cold system", 'the system\'s bundle: ours `roots: "system"`, libcurl by default',
             "system", NO_TLS, rejected=True),
    ]  # fmt: skip


def run(count: int) -> dict[Case, Rounds]:
    """Runs all rounds."""
    results = {}
    with responder(True, CORE) as server:
        for case in cases():

            def one(client: str) -> Figures:
                trusted = server.trusted_by(case.ours if client == OURS else case.curl)  # noqa: B023
                expected = {"BENCH_REFUSED": "1"} if case.rejected else {}  # noqa: B023
                return measure(client, trusted, 1, core=CORE, variables=expected)

            results[case] = turns((OURS, CURL), count * STARTS, one)
    return results


def found(results: dict[Case, Rounds]) -> Found:
    """Creates a row for each case."""
    out = Found()
    lines = []
    for case, rounds in results.items():
        share = ratio(rounds, OURS, CURL, "cold")
        mine, theirs = (
            f"{median(rounds, client, 'cold') / 1000:.2f} ms" for client in (OURS, CURL)
        )
        out.rows.append(Row(GOALS[case.goal], share.middle, mine, NAMES[CURL], theirs, share))
        end = "certificate rejected" if case.rejected else "first response"
        lines.append((case.what, end, mine, theirs, share))
        if share.middle > 1:
            out.lost.append(f"libcurl starts sooner with {case.what}: {share} of its time.")
    out.text = table(("authorities", "ends with", "ours", "libcurl", "ratio"), lines)
    return out
