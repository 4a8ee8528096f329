"""Compares all clients on one machine; writes RESULTS.md, latency.svg and growth.svg.

Usage: bench.py [--rounds N] [--quick] [--only PART ..]. Partial and quick runs write to build/bench
instead.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import time
from collections.abc import Callable
from pathlib import Path

from suite import (
    cold,
    exact,
    growth,
    latency,
    link,
    loop,
    memory,
    pictures,
    tables,
    throughput,
)
from suite.places import BENCHES, BUILD
from suite.tables import Found

ROUNDS = 5


def with_latency(folder: Path, count: int, quick: bool) -> Found:
    """Sequential calls, with the picture."""
    results = latency.run(count)
    (folder / "latency.svg").write_text(pictures.latency(results))
    return latency.found(results)


def with_growth(folder: Path, count: int, quick: bool) -> Found:
    """Cost as the work grows, with the picture."""
    results = growth.run_all(quick)
    (folder / "growth.svg").write_text(pictures.growth(results))
    found = growth.found(results, growth.default_client())
    found.text += "\n![cost as the work grows](growth.svg)\n"
    return found


Part = Callable[[Path, int, bool], Found]
PARTS: dict[str, tuple[str, Part]] = {
    "latency": ("Sequential calls", with_latency),
    "link": (
        f"Over a link of {link.DELAY} ms",
        lambda folder, count, quick: link.found(link.run(count)),
    ),
    "throughput": (
        "Many threads, and the queue",
        lambda folder, count, quick: throughput.found(throughput.run(count)),
    ),
    "loop": (
        "The queue and libcurl's multi interface, in one event loop",
        lambda folder, count, quick: loop.found(loop.run(count)),
    ),
    "cold": (
        "Time until the first response, TLS",
        lambda folder, count, quick: cold.found(cold.run(count)),
    ),
    "memory": (
        f"Memory with {memory.WARM} warm TLS connections",
        lambda folder, count, quick: memory.found(memory.run(count)),
    ),
    "exact": (
        "Measurements without noise, a warm call",
        lambda folder, count, quick: exact.found(),
    ),
    "growth": ("Cost as the work grows", with_growth),
}
NOTES = {
    "latency": "Server and client share a core. Ratios are libbw_webrtc ÷ client in each round: "
    "the C library for clients in C and C++, the Python package for clients in Python.",
    "throughput": "One client and its threads, or one event loop and a queue with the same number "
    "of workers; libcurl uses one handle per thread. On both cores, the result depends on how the "
    "scheduler places the threads of client and server: see the range. On one core, only the work "
    "counts.",
    "link": "The responder delays each response. Server and client share a core.",
    "loop": "One thread waits for events; each completed call is followed by the next. The queue "
    "has as many workers as calls in flight, because a call in flight holds a thread; 32 KiB of "
    "its stack are in memory. The gap is the longest time that the loop did not wait. Server and "
    "client share two cores.",
    "cold": "Measured in a running process, from before the client is created. If no response "
    "is possible, since the server's authority is not one of the defaults, the measurement ends "
    "when the certificate is rejected.",
    "memory": "As many concurrent threads, each with its own connection.",
    "exact": "The difference between 1000 and 2000 calls, per call: `strace -c -f`, callgrind, and "
    "a malloc that counts.",
    "growth": "Participants are created, added to sessions of ten, listed, removed and deleted, at "
    "bw-sandbox. The growth is the exponent over the last tenfold of the work: n^1 is linear.",
}


ENGINE = """
## What the HTTP engine costs

ureq makes requests and reads responses, over connections that this library opens. HTTP/1.1 that was
written for this library alone took 15,087 instructions per warm call, plain; its p50 was 0.63 of
libcurl's, plain, and 0.58 over TLS. More than half of the instructions below are therefore ureq's:
about 24,000 per call, or 3 µs. Over a link of 20 ms that is less than 0.02 % of a call.
"""


def machine() -> str:
    """Describes the machine."""
    models = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    model = f"{len(models)} cores of {models[0]}" if models else platform.machine()
    return f"{model}, {platform.machine()}, Linux {platform.release().split('-')[0]}"


def report(found: dict[str, Found], count: int, took: float) -> str:
    """The text of RESULTS.md."""
    rows = [row for one in found.values() for row in one.rows]
    met = sum(row.met for row in rows)
    lost = [line for one in found.values() for line in one.lost]
    text = (
        f"# Results\n\nMade by `make bench` on {datetime.date.today()} in {took:.0f} s, on "
        f"{machine()}. Clients run in {count} rounds of alternating order (ABBA). Figures are "
        "medians; ratios are medians over rounds ± half of the interquartile range.\n\n"
        "![one call, median](latency.svg)\n\n"
        f"## Goals\n\n{met} of {len(rows)} are met.\n\n{tables.goals(rows)}\n"
        "## Cases in which a peer is faster or smaller\n\n"
    )
    text += "\n".join(f"- {line}" for line in lost or ["None in this run."]) + "\n"
    text += ENGINE
    for name, one in found.items():
        text += f"\n## {PARTS[name][0]}\n\n{NOTES[name]}\n\n{one.text.lstrip()}"
    return text


def main() -> None:
    """Runs the selected parts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="run one round")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    is_complete = (
        set(arguments.only) == set(PARTS) and arguments.rounds >= ROUNDS and not arguments.quick
    )
    folder = BENCHES if is_complete else BUILD
    count = 1 if arguments.quick else arguments.rounds
    began = time.monotonic()
    found = {}
    for name in arguments.only:
        print(f"bench: {name}, {time.monotonic() - began:.0f} s", flush=True)
        found[name] = PARTS[name][1](folder, count, arguments.quick)
    text = report(found, count, time.monotonic() - began)
    (folder / "RESULTS.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
