"""Runs a busy program for minutes, while the service injects changing faults.

Starts bw-sandbox and `soak` (tests/hostile/c/soak.c), and samples the memory, descriptors and
threads of `soak`. At the end, compares the recorded result of every call with the state of the
sandbox: each participant was either returned by a call or created by a call with an unknown
outcome. Usage: soak.py BUILD_DIR MINUTES SANDBOX; writes BUILD_DIR/soak.svg.
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
    """Sends a request to the control interface of the sandbox."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=60) as response:
        text = response.read()
    return json.loads(text) if text else None


class Monitor:
    """Samples the memory, descriptors and threads of a process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.began = time.monotonic()
        self.samples: list[tuple[float, int, int, int]] = []

    def measure(self) -> tuple[int, int, int]:
        """The memory in KiB, and the numbers of descriptors and threads."""
        fields = {}
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            key, _, value = line.partition(":")
            fields[key] = value.split()
        descriptors = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        return int(fields["VmRSS"][0]), descriptors, int(fields["Threads"][0])

    def sample(self) -> None:
        self.samples.append((time.monotonic() - self.began, *self.measure()))

    def median_of_part(self, begin: float, end: float, column: int) -> float:
        """The median of a column between two points of the run, given as fractions."""
        count = len(self.samples)
        rows = self.samples[int(count * begin) : max(int(count * end), int(count * begin) + 1)]
        return median(row[column] for row in rows)

    def plot(self, path: Path) -> None:
        """Plots each column over time, scaled to its highest value."""
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
    """Replaces the faults by a random choice of none, one or two."""
    control(root, "DELETE", "/_sandbox/faults")
    for fault in chance.sample(FAULTS, chance.choice([0, 0, 1, 2])):
        # A limited number, so that each phase also has requests without a fault.
        count = chance.randrange(1, 300)
        control(root, "POST", "/_sandbox/faults", {"operation": "*", "count": count, **fault})


def read_results(path: Path) -> dict[str, set[str]]:
    """The recorded results by kind (see soak.c): tags for U and N, ids for K, D, R and S."""
    results: dict[str, set[str]] = {kind: set() for kind in "KUNDRS"}
    count = 0
    for line in path.read_text().splitlines():
        kind, tag, ident = line.split(" ")
        results[kind].add(tag if kind in "UN" else ident)
        count += 1
    assert sum(len(group) for group in results.values()) == count, "a result was recorded twice"
    return results


class Checks:
    """Prints and counts checks."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def that(self, holds: bool, what: str) -> None:
        self.passed += holds
        self.failed += not holds
        print(f"{'ok' if holds else 'FAILED'}: {what}")


def reconcile(checks: Checks, results: dict[str, set[str]], existing: dict[str, str]) -> None:
    """Compares the results with the existing participants (id to tag)."""
    kept = results["K"] - results["D"] - results["R"]
    missing = kept - existing.keys()
    rejected = missing & results["S"]
    checks.that(
        not missing,
        f"all {len(kept)} participants that were created and not deleted exist: {len(missing)} are "
        f"missing, {len(rejected)} of them after a rejected delete: {list(missing)[:3]}",
    )
    undeleted = results["D"] & existing.keys()
    checks.that(
        not undeleted,
        f"none of the {len(results['D'])} deleted participants exists: {list(undeleted)[:3]}",
    )
    unreported = {ident: tag for ident, tag in existing.items() if ident not in results["K"]}
    unaccounted = [tag for tag in unreported.values() if tag not in results["U"]]
    checks.that(
        not unaccounted,
        f"the {len(unreported)} participants that no call returned are among the "
        f"{len(results['U'])} calls with an unknown outcome: {unaccounted[:3]}",
    )
    # Every call has its own tag, so a repeated tag is a POST that was processed twice.
    tags = list(existing.values())
    checks.that(len(tags) == len(set(tags)), "no participant was created twice")
    checks.that(
        not set(tags) & results["N"],
        f"none of the {len(results['N'])} rejected calls created a participant",
    )


def main() -> int:
    build, minutes = Path(sys.argv[1]), float(sys.argv[2])
    program, sandbox_binary = build / "soak", sys.argv[3]
    record = build / "soak.results"
    record.unlink(missing_ok=True)
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
        [program, json.dumps(config), str(seconds), str(THREADS), record],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert soak.stdout is not None
        assert soak.stdin is not None
        monitor = Monitor(soak.pid)
        while time.monotonic() - monitor.began < seconds - 1 and soak.poll() is None:
            disturb(root, chance)
            for _ in range(chance.randrange(1, 5)):
                time.sleep(0.5)
                if soak.poll() is None:
                    monitor.sample()
        control(root, "DELETE", "/_sandbox/faults")
        lines = []
        for line in soak.stdout:
            lines.append(line.rstrip())
            print(lines[-1])
            if line.rstrip().endswith(" failed"):
                break
        checks.that(
            bool(lines) and lines[-1].endswith(" passed, 0 failed"),
            "all checks of the program passed",
        )
        if soak.poll() is not None:
            raise SystemExit(f"soak.py: the program ended early: {soak.returncode}")
        # The library's threads end soon after the client is freed.
        for _ in range(100):
            _, descriptors, threads = monitor.measure()
            if threads == 1:
                break
            time.sleep(0.1)
        checks.that(threads == 1, f"only the main thread is left: {threads}")
        # Standard input, output and error, and the file of results.
        checks.that(descriptors == 4, f"only the program's own descriptors are left: {descriptors}")
        soak.stdin.write("end\n")
        soak.stdin.flush()
        checks.that(soak.wait(30) == 0, "the program exits with 0")
        monitor.plot(build / "soak.svg")
        early, late = monitor.median_of_part(0.2, 0.4, 1), monitor.median_of_part(0.8, 1, 1)
        checks.that(
            late < early * 1.1 + 2048, f"memory does not grow: {early:.0f}, then {late:.0f} KiB"
        )
        early, late = monitor.median_of_part(0.2, 0.4, 2), monitor.median_of_part(0.8, 1, 2)
        checks.that(
            late < early * 1.5 + 32, f"descriptors do not grow: {early:.0f}, then {late:.0f}"
        )
        account = control(root, "GET", "/_sandbox/state")["accounts"][0]
        existing = {one["id"]: one.get("tag") or "" for one in account["participants"]}
        reconcile(checks, read_results(record), existing)
    finally:
        soak.kill()
        sandbox.terminate()
        sandbox.wait(30)
    print("Soak:")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return int(checks.failed != 0)


if __name__ == "__main__":
    sys.exit(main())
