"""Runs clients in alternating order."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence

from .clients import command, environment
from .servers import Server, pinned

Figures = dict[str, float]
Rounds = dict[str, list[Figures]]
CORE = 0
"""The core that server and client share, since results on two cores have several modes."""


def run(
    words: Sequence[str], core: int | None = None, variables: dict[str, str] | None = None
) -> str:
    """Returns the output of a program. If the program fails, raises its error output."""
    ended = subprocess.run(
        pinned(words, core),
        env={**environment(), **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{' '.join(words)}: {ended.stderr}")
    return ended.stdout


def measure(
    client: str,
    server: Server,
    calls: int,
    threads: int = 1,
    core: int | None = None,
    variables: dict[str, str] | None = None,
) -> Figures:
    """Runs a client, and returns the figures that it prints."""
    words = command(client, server, calls, threads)
    figures: Figures = json.loads(run(words, core, variables))
    return figures


def turns(clients: Sequence[str], count: int, one: Callable[[str], Figures]) -> Rounds:
    """The results of all clients, which run in alternating order (ABBA), for a number of rounds."""
    results: Rounds = {client: [] for client in clients}
    for _ in range(count):
        for client in (*clients, *reversed(clients)):
            results[client].append(one(client))
    return results
