"""From nothing to the first answer over TLS, with few authorities and with many."""

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
"""For each round of the other parts: a start is short and uneven."""


@dataclass(frozen=True)
class Case:
    """Which authorities are loaded, and whether the server's is among them."""

    goal: str
    what: str
    ours: str
    curl: str
    refused: bool


def cases() -> list[Case]:
    """Where the server's authority is not loaded, the start ends with the certificate refused."""
    small = str(certificates().authority)
    whole = BUILD / "bundle.pem"
    whole.write_text(SYSTEM_BUNDLE.read_text() + certificates().authority.read_text())
    return [
        Case("cold small", "the server's authority alone", small, small, refused=False),
        Case("cold file", "file of the system's bundle and the server's authority",
             str(whole), str(whole), refused=False),
        Case("cold default", "default: ours its bundled authorities, libcurl the system's",
             NO_TLS, NO_TLS, refused=True),
        Case("cold system", 'the system\'s bundle: ours `roots: "system"`, libcurl by default',
             "system", NO_TLS, refused=True),
    ]  # fmt: skip


def run(count: int) -> dict[Case, Rounds]:
    """All rounds."""
    results = {}
    with responder(True, CORE) as server:
        for case in cases():

            def one(client: str) -> Figures:
                trusted = server.trusted_by(case.ours if client == OURS else case.curl)  # noqa: B023
                expected = {"BENCH_REFUSED": "1"} if case.refused else {}  # noqa: B023
                return measure(client, trusted, 1, core=CORE, variables=expected)

            results[case] = turns((OURS, CURL), count * STARTS, one)
    return results


def found(results: dict[Case, Rounds]) -> Found:
    """A row for each case."""
    out = Found()
    lines = []
    for case, rounds in results.items():
        beside = ratio(rounds, OURS, CURL, "cold")
        mine, theirs = (
            f"{median(rounds, client, 'cold') / 1000:.2f} ms" for client in (OURS, CURL)
        )
        out.rows.append(Row(GOALS[case.goal], beside.middle, mine, NAMES[CURL], theirs, beside))
        end = "certificate refused" if case.refused else "first answer"
        lines.append((case.what, end, mine, theirs, beside))
        if beside.middle > 1:
            out.lost.append(f"libcurl starts sooner with {case.what}: {beside} of its time.")
    out.text = table(("authorities", "ends with", "ours", "libcurl", "ratio"), lines)
    return out
