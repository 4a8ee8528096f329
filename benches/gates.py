"""What no noise can move, checked in CI: system calls, instructions, connections, size.

Prints each figure beside its limit, and ends with the sum. Needs strace and valgrind.
"""

from __future__ import annotations

import subprocess
import sys

from common import LIBRARY, instructions, responder, syscalls

FORBIDDEN = {"clone", "clone3", "openat", "setsockopt", "getpid", "ioctl", "poll", "futex", "mmap"}
MOST_SYSCALLS = 4.0
MOST_INSTRUCTIONS = 0.45
MOST_BYTES = 3_000_000


def main() -> int:
    """Checks all gates."""
    results: list[tuple[bool, str]] = []
    for tls in (False, True):
        with responder(tls) as server:
            form = "TLS" if tls else "plain"
            ours = syscalls("ours", server)
            total = sum(ours.values())
            results.append(
                (
                    total <= MOST_SYSCALLS + 0.01,
                    f"{total:g} system calls a warm call, {form}: {ours}",
                )
            )
            stray = FORBIDDEN & ours.keys()
            results.append(
                (not stray, f"none that a warm call must not make, {form}: {stray or ''}")
            )
            if not tls:
                mine, curl = (instructions(name, server) for name in ("ours", "curl_cjson"))
                results.append(
                    (
                        mine / curl <= MOST_INSTRUCTIONS,
                        f"{mine:.0f} instructions a warm call, libcurl + cJSON {curl:.0f}: "
                        f"{mine / curl:.2f}, at most {MOST_INSTRUCTIONS}",
                    )
                )
    size = LIBRARY.stat().st_size
    results.append((size <= MOST_BYTES, f"{size} bytes stripped, at most {MOST_BYTES}"))
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", str(LIBRARY)], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    names = [line.split()[-1] for line in symbols if line]
    foreign = [name for name in names if not name.startswith("bw_")]
    results.append((not foreign, f"{len(names)} exported symbols, all bw_*: {foreign or ''}"))
    for good, text in results:
        print(f"{'ok  ' if good else 'FAIL'} {text}")
    failed = sum(not good for good, _ in results)
    print(f"gates: {len(results) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
