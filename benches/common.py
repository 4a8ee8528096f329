"""What the gates and the benchmark share: the responder, and running a client."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "bench"
LIBRARY = ROOT / "target" / "release" / "libbw_webrtc.so"


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    ca_file: str
    """``-`` where there is no TLS."""


def certificate() -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key; made once."""
    cert, key = BUILD / "cert.pem", BUILD / "key.pem"
    if not cert.exists():
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        )
        subprocess.run(
            [
                *command.split(),
                *("-keyout", str(key), "-out", str(cert), "-subj", "/CN=127.0.0.1"),
                *("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"),
            ],
            check=True,
            capture_output=True,
        )
    return cert, key


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """The command, on one core if it is given."""
    return [*([] if core is None else ["taskset", "-c", str(core)]), *command]


@contextmanager
def responder(tls: bool, core: int | None = None, answer: int = 520) -> Iterator[Server]:
    """The server in C."""
    files = [str(file) for file in certificate()] if tls else ["-", "-"]
    process = subprocess.Popen(
        pinned([str(BUILD / "responder"), *files, str(answer)], core),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    scheme = "https" if tls else "http"
    try:
        yield Server(f"{scheme}://127.0.0.1:{port}/v1", files[0])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def command(client: str, server: Server, calls: int, threads: int = 1) -> list[str]:
    """How a client is run: one in C by its name, one in Python as ``python:NAME``."""
    if client.startswith("python:"):
        # The peers are installed beside the benchmark, nowhere else.
        python = BUILD / "venv" / "bin" / "python"
        script = [str(python), str(ROOT / "benches" / "clients" / "peers.py")]
        return [*script, client.split(":")[1], server.url, server.ca_file, str(calls)]
    return [str(BUILD / client), server.url, server.ca_file, str(calls), str(threads)]


def environment() -> dict[str, str]:
    """For clients in Python."""
    return {
        **os.environ,
        "BW_WEBRTC_LIBRARY": str(LIBRARY),
        "PYTHONPATH": str(ROOT / "bindings" / "python" / "src"),
    }


def measure(
    client: str, server: Server, calls: int, threads: int = 1, core: int | None = None
) -> dict[str, float]:
    """What a client prints of its calls."""
    ended = subprocess.run(
        pinned(command(client, server, calls, threads), core),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{client}: {ended.stderr}")
    figures: dict[str, float] = json.loads(ended.stdout)
    return figures


def syscalls(client: str, server: Server) -> dict[str, float]:
    """System calls of a warm call, by name: what 1000 more calls add, by the thousand."""
    counts = []
    for calls in (1000, 2000):
        out = BUILD / "strace"
        subprocess.run(
            ["strace", "-f", "-c", "-o", str(out), *command(client, server, calls)],
            check=True,
            capture_output=True,
            env=environment(),
        )
        rows = (line.split() for line in out.read_text().splitlines())
        counts.append({row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()})
    few, many = counts
    names = sorted(set(few) | set(many) - {"total"})
    added = {name: (many.get(name, 0) - few.get(name, 0)) / 1000 for name in names}
    # Reading the clock, or a time-out in 1000 calls, is noise.
    return {
        name: round(count, 2) for name, count in added.items() if count >= 0.01 and name != "total"
    }


def instructions(client: str, server: Server) -> float:
    """Instructions of a warm call, by callgrind."""
    totals = []
    for calls in (1000, 2000):
        ended = subprocess.run(
            [
                *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
                *command(client, server, calls),
            ],
            check=True,
            capture_output=True,
            text=True,
            env=environment(),
        )
        found = re.search(r"Collected : (\d+)", ended.stderr)
        assert found, ended.stderr
        totals.append(int(found[1]))
    return (totals[1] - totals[0]) / 1000
