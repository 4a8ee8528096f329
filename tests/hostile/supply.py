"""Holds what Cargo builds the library from against docs/dependencies.md.

Every crate that is shipped must be named there with its licence, every build script be named, every
crate come from crates.io in one version. Usage: supply.py (in the project's folder).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

CARGO = os.environ.get("CARGO", "cargo")
PACKAGE = "bw-webrtc"
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
# Those that a program under any licence may be linked with.
LICENCES = {
    "Apache-2.0",
    "BSD-3-Clause",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
}
# What only runs at build time may be under these too.
BUILD_LICENCES = LICENCES | {"MPL-2.0", "Apache-2.0 WITH LLVM-exception"}


def cargo(*arguments: str) -> str:
    run = subprocess.run([CARGO, *arguments], capture_output=True, text=True, check=True)
    return run.stdout


def crates(edges: str) -> set[tuple[str, str]]:
    """Names and versions of the crates in the tree."""
    tree = cargo("tree", "--locked", "-e", edges, "-p", PACKAGE, "--prefix", "none")
    words = (line.split() for line in tree.splitlines() if line)
    return {(word[0], word[1].removeprefix("v")) for word in words}


def allowed(expression: str, licences: set[str]) -> bool:
    """Whether an SPDX expression can be met; it has OR in brackets, or at the top."""
    parts = re.split(r"\s+AND\s+", expression.replace("(", "").replace(")", ""))
    return all(any(one in licences for one in re.split(r"\s+OR\s+", part)) for part in parts)


def section(page: str, title: str) -> str:
    return page.split(f"## {title}\n")[1].split("\n## ")[0]


def main() -> int:
    page = Path("docs/dependencies.md").read_text()
    packages: dict[tuple[str, str], Any] = {
        (package["name"], package["version"]): package
        for package in json.loads(cargo("metadata", "--locked", "--format-version", "1"))[
            "packages"
        ]
    }
    shipped, built = crates("normal"), crates("normal,build")
    rows = dict(re.findall(r"^\| ([\w-]+) \| (.+?) \| .+ \|$", section(page, "Shipped"), re.M))
    rows.pop("crate")
    macros = set(re.findall(r"[\w-]+", section(page, "Shipped").split("of themselves in it:")[1]))
    scripts: set[str] = set()
    for cells in re.findall(r"^\| ([\w, -]+) \| .+ \|$", section(page, "Build scripts"), re.M):
        scripts |= set(cells.split(", "))

    wrong: list[str] = []
    checks = 0

    def check(holds: bool, what: str) -> None:
        nonlocal checks
        checks += 1
        if not holds:
            wrong.append(what)

    for name, version in sorted(built):
        package = packages[name, version]
        ships = (name, version) in shipped
        check(
            name == PACKAGE or package["source"] == REGISTRY,
            f"{name} comes from {package['source']}",
        )
        expression = package["license"] or "no licence"
        check(
            allowed(expression, LICENCES if ships else BUILD_LICENCES),
            f"{name} {version}: the licence {expression} is not one of those that are allowed",
        )
        has_script = any("custom-build" in target["kind"] for target in package["targets"])
        check(not has_script or name in scripts, f"{name}'s build script is not on the page")
        if ships and name != PACKAGE:
            same = [v for n, v in shipped if n == name]
            check(len(same) == 1, f"{name} is shipped in the versions {same}")
            check(
                rows.get(name) == expression or name in macros,
                f"{name} ({expression}) is shipped and not on the page",
            )
    names = {name for name, _ in shipped}
    for name in [*rows, *macros]:
        check(name in names, f"{name} is on the page and not shipped")
    for name in scripts - {"crate"}:
        check(name in {n for n, _ in built}, f"{name} is on the page and builds nothing")

    print(cargo("tree", "--locked", "-e", "normal,no-proc-macro", "-p", PACKAGE), end="")
    for what in wrong:
        print(f"DOES NOT HOLD: {what}")
    print("Supply chain:")
    print(f"{checks - len(wrong)} passed, {len(wrong)} failed")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
