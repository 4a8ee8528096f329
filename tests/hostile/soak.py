"""A long run under load, with the service's faults switched on and off meanwhile.

Starts bw-sandbox and `soak` (tests/hostile/c/soak.c), watches the latter's memory, descriptors and
threads, and at the end holds what its callers were told against what the sandbox has: everything
that was made is known to somebody or was reported as of unknown outcome, and the other way round.
Usage: soak.py BUILD_DIR MINUTES; writes BUILD_DIR/soak.svg.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

THREADS = 64
FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500, "body": {"error": "ordered"}},
    {"kind": "status", "status": 503, "body": {"error": "ordered"}},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}, "body": {}},
    {"kind": "status", "status": 400, "body": {"error": "ordered"}},
    {"kind": "delay", "ms": 100},
    {"kind": "delay", "ms": 3000},
    {"kind": "close_before"},
    {"kind": "close_after"},
    {"kind": "truncate"},
    {"kind": "garbage"},
    {"kind": "dribble", "bytesPerSecond": 2000},
]


def control(url: str, method: str, path: str, body: object = None) -> Any:
    """A request to the sandbox itself."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Watch:
    """What a process takes of the machine, over time."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.began = time.monotonic()
        self.samples: list[tuple[float, int, int, int]] = []

    def look(self) -> tuple[int, int, int]:
        """Memory in KiB, descriptors, threads."""
        fields = {}
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            key, _, value = line.partition(":")
            fields[key] = value.split()
        descriptors = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        return int(fields["VmRSS"][0]), descriptors, int(fields["Threads"][0])

    def sample(self) -> None:
        self.samples.append((time.monotonic() - self.began, *self.look()))

    def part(self, begin: float, end: float, column: int) -> float:
        """The median of a column in this part of the run."""
        count = len(self.samples)
        rows = self.samples[int(count * begin) : max(int(count * end), int(count * begin) + 1)]
        return median(row[column] for row in rows)

    def plot(self, path: Path) -> None:
        """Memory, descriptors and threads against time, each to its own highest value."""
        width, height = 720, 200
        last = self.samples[-1][0] or 1
        lines = []
        for column, (name, colour) in enumerate(
            [("memory, KiB", "#06c"), ("descriptors", "#c60"), ("threads", "#393")], 1
        ):
            most = max(row[column] for row in self.samples)
            points = " ".join(
                f"{40 + row[0] / last * width:.1f},{20 + height - row[column] / most * height:.1f}"
                for row in self.samples
            )
            lines.append(f'<polyline fill="none" stroke="{colour}" points="{points}"/>')
            lines.append(
                f'<text x="{40 + 240 * (column - 1)}" y="250" fill="{colour}">'
                f"{name}: at most {most}</text>"
            )
        path.write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 270" '
            f'font-family="sans-serif" font-size="13">\n<text x="40" y="14">'
            f"{last:.0f} s</text>\n" + "\n".join(lines) + "\n</svg>\n"
        )


def start_sandbox(binary: str) -> tuple[subprocess.Popen[str], str]:
    arguments = ["--account", "9900000", "--username", "user", "--password", "secret"]
    sandbox = subprocess.Popen(
        [binary, "--listen", "127.0.0.1:0", "--quiet", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sandbox.stdout is not None
    return sandbox, sandbox.stdout.readline().strip()


def disturb(root: str, chance: random.Random) -> None:
    """Other faults from now on, or none."""
    control(root, "DELETE", "/_sandbox/faults")
    for fault in chance.sample(FAULTS, chance.choice([0, 0, 1, 2])):
        # For a part of the requests, so that each phase has both.
        count = chance.randrange(1, 300)
        control(root, "POST", "/_sandbox/faults", {"operation": "*", "count": count, **fault})


def books(path: Path) -> dict[str, set[str]]:
    """What the callers were told: tags under U and N, ids under K, D, R and S."""
    told: dict[str, set[str]] = {kind: set() for kind in "KUNDRS"}
    count = 0
    for line in path.read_text().splitlines():
        kind, tag, ident = line.split(" ")
        told[kind].add(tag if kind in "UN" else ident)
        count += 1
    assert sum(len(group) for group in told.values()) == count, "something was told twice"
    return told


class Checks:
    """Counts what holds, and says what does not."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def that(self, holds: bool, what: str) -> None:
        self.passed += holds
        self.failed += not holds
        print(f"{'ok' if holds else 'DOES NOT HOLD'}: {what}")


def reconcile(checks: Checks, told: dict[str, set[str]], there: dict[str, str]) -> None:
    """`there`: the tag of each participant, by id."""
    kept = told["K"] - told["D"] - told["R"]
    missing = kept - there.keys()
    checks.that(not missing, f"all {len(kept)} that were made and not removed are there")
    back = told["D"] & there.keys()
    checks.that(
        not back, f"none of the {len(told['D'])} that were removed is there: {list(back)[:3]}"
    )
    strangers = {ident: tag for ident, tag in there.items() if ident not in told["K"]}
    unaccounted = [tag for tag in strangers.values() if tag not in told["U"]]
    checks.that(
        not unaccounted,
        f"the {len(strangers)} that nobody was told of are among the {len(told['U'])} of unknown "
        f"outcome: {unaccounted[:3]}",
    )
    # No tag is used twice, so this is a POST that was done twice.
    tags = list(there.values())
    checks.that(len(tags) == len(set(tags)), "none was made twice")
    checks.that(
        not set(tags) & told["N"], f"none of the {len(told['N'])} that were refused was made"
    )


def main() -> int:
    build, minutes = Path(sys.argv[1]), float(sys.argv[2])
    program, sandbox_binary = build / "soak", sys.argv[3]
    book = build / "soak.book"
    book.unlink(missing_ok=True)
    seed = int(time.time())
    chance = random.Random(seed)
    print(f"{minutes} minutes, {THREADS} threads, seed {seed}")
    checks = Checks()
    sandbox, url = start_sandbox(sandbox_binary)
    root = url.rsplit("/v1", 1)[0]
    config = {
        "accountId": "9900000",
        "username": "user",
        "password": "secret",
        "baseUrl": url,
        "timeoutMs": 5000,
        "attemptTimeoutMs": 2000,
        "maxRetries": 2,
        "retryBaseMs": 5,
    }
    seconds = minutes * 60
    soak = subprocess.Popen(
        [program, json.dumps(config), str(seconds), str(THREADS), book],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert soak.stdout is not None
        assert soak.stdin is not None
        watch = Watch(soak.pid)
        while time.monotonic() - watch.began < seconds - 1 and soak.poll() is None:
            disturb(root, chance)
            for _ in range(4):
                time.sleep(0.5)
                watch.sample()
        control(root, "DELETE", "/_sandbox/faults")
        lines = []
        for line in soak.stdout:
            lines.append(line.rstrip())
            print(lines[-1])
            if line.rstrip().endswith(" failed"):
                break
        checks.that(bool(lines) and lines[-1].endswith(" passed, 0 failed"), "the run's own sum")
        # Threads of ours end by themselves, soon.
        for _ in range(100):
            _, descriptors, threads = watch.look()
            if threads == 1:
                break
            time.sleep(0.1)
        checks.that(threads == 1, f"no thread is left: {threads}")
        # Standard input, output and error, and the book.
        checks.that(descriptors == 4, f"no descriptor is left: {descriptors}")
        soak.stdin.write("end\n")
        soak.stdin.flush()
        checks.that(soak.wait(30) == 0, "it ends well")
        watch.plot(build / "soak.svg")
        early, late = watch.part(0.2, 0.4, 1), watch.part(0.8, 1, 1)
        checks.that(late < early * 1.1 + 2048, f"memory is flat: {early:.0f}, then {late:.0f} KiB")
        early, late = watch.part(0.2, 0.4, 2), watch.part(0.8, 1, 2)
        checks.that(late < early * 1.5 + 32, f"descriptors are flat: {early:.0f}, then {late:.0f}")
        account = control(root, "GET", "/_sandbox/state")["accounts"][0]
        there = {one["id"]: one.get("tag") or "" for one in account["participants"]}
        reconcile(checks, books(book), there)
    finally:
        soak.kill()
        sandbox.terminate()
        sandbox.wait(30)
    print("Soak:")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return int(checks.failed != 0)


if __name__ == "__main__":
    sys.exit(main())
