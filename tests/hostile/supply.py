"""Compares the dependencies of the library with docs/dependencies.md.

Every crate that is shipped must be named there with its licence, and every build script be named.
The lazily initialized statics of the HTTP engine must be those that `src/transport/engine.rs`
initializes.
Licences, sources and versions are judged by ``cargo deny``. Usage: supply.py (in the project's
folder).
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
ENGINE = ("ureq", "ureq-proto", "http", "utf8-zero")
# `run` composes a header; the others exist in ureq's own tests only.
LAZY = {"ureq run.rs ACCEPTS", "ureq lib.rs INIT_LOG", "ureq timings.rs NOW"}
# These belong to features that are disabled.
UNUSED = re.compile(r"tls|test|cookies|charset")


def cargo(*arguments: str) -> str:
    run = subprocess.run([CARGO, *arguments], capture_output=True, text=True, check=True)
    return run.stdout


def crates(edges: str) -> set[tuple[str, str]]:
    """The names and versions of the crates in the dependency tree."""
    tree = cargo("tree", "--locked", "-e", edges, "-p", PACKAGE, "--prefix", "none")
    words = (line.split() for line in tree.splitlines() if line)
    return {(word[0], word[1].removeprefix("v")) for word in words}


def lazy_statics(packages: dict[tuple[str, str], Any]) -> set[str]:
    """The statics of the HTTP engine that are initialized on first use."""
    kinds = r"(?:\w+::)*(?:Lazy\w*|Once\w*|Mutex|RwLock|Atomic\w+|RefCell)<"
    found: set[str] = set()
    for (name, _), package in packages.items():
        if name not in ENGINE:
            continue
        root = Path(package["manifest_path"]).parent / "src"
        for file in root.rglob("*.rs"):
            path = file.relative_to(root).as_posix()
            if not UNUSED.search(path):
                statics = re.findall(rf"static (\w+): {kinds}", file.read_text())
                found |= {f"{name} {path} {static}" for static in statics}
    return found


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
    rows = dict(
        re.findall(r"^\| ([\w-]+) \| (.+?) \| .+ \|$", section(page, "Crates in the library"), re.M)
    )
    rows.pop("crate")
    macros = set(
        re.findall(r"[\w-]+", section(page, "Crates in the library").split("procedural macros:")[1])
    )
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
        expression = package["license"]
        has_script = any("custom-build" in target["kind"] for target in package["targets"])
        check(not has_script or name in scripts, f"{name}'s build script is not on the page")
        if (name, version) in shipped and name != PACKAGE:
            check(
                rows.get(name) == expression or name in macros,
                f"{name} ({expression}) is shipped and not on the page",
            )
    names = {name for name, _ in shipped}
    for name in [*rows, *macros]:
        check(name in names, f"{name} is on the page and not shipped")
    for name in scripts - {"crate"}:
        check(name in {n for n, _ in built}, f"{name} is on the page and builds nothing")

    lazy = lazy_statics(packages)
    check(lazy == LAZY, f"the lazy statics of the HTTP engine are {sorted(lazy)}")

    print(cargo("tree", "--locked", "-e", "normal,no-proc-macro", "-p", PACKAGE), end="")
    for what in wrong:
        print(f"FAILED: {what}")
    print("Supply chain:")
    print(f"{checks - len(wrong)} passed, {len(wrong)} failed")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
