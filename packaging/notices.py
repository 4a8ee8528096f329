"""Writes THIRD-PARTY-NOTICES: the licences of the crates in the packaged programs.

Usage, in the root of the project: notices.py [--check]. With --check, nothing is written, and the
exit status is 1 if the file is out of date. RELEASE_FEATURES contains the cargo features with which
the programs are packaged, such as bw-sandbox/media; none by default.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

CARGO = os.environ.get("CARGO", "cargo")
FEATURES = os.environ.get("RELEASE_FEATURES", "")
NOTICES = Path("THIRD-PARTY-NOTICES")
# The packages, and their names in the file.
PACKAGED = {"bw-webrtc": "the library", "bw-sandbox": "bw-sandbox"}
TARGET = "x86_64-unknown-linux-gnu"
INTRODUCTION = """\
libbw_webrtc and bw-sandbox contain third-party code under the licences below. If a crate offers a
choice of licences, the chosen one is printed. They also contain the standard library of Rust
(MIT OR Apache-2.0, copyright The Rust Project Contributors; every Rust toolchain contains its
notices in COPYRIGHT-library.html).
"""


def cargo(*arguments: str) -> str:
    return subprocess.run([CARGO, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def linked(package: str) -> Set[Tuple[str, str]]:
    """The names and versions of the crates that are linked into the package."""
    edges = "normal,no-proc-macro"
    own = [each for each in FEATURES.split() if each.startswith(f"{package}/")]
    options = ["--target", TARGET, "-e", edges, "--prefix", "none", "--features", ",".join(own)]
    tree = cargo("tree", "--locked", "-p", package, *options)
    words = (line.split() for line in tree.splitlines() if line)
    return {(word[0], word[1].lstrip("v")) for word in words}


def texts(package: Any) -> List[str]:
    """The text of the chosen licence, or the texts of all licences that apply."""
    folder = Path(package["manifest_path"]).parent
    files = sorted(
        file
        for file in folder.iterdir()
        if file.is_file() and re.match(r"licen[cs]e|copying|notice|unlicense", file.name, re.I)
    )
    choices = re.split(r"\s+OR\s+|/", package["license"])
    if "MIT" in choices:
        files = [file for file in files if re.search(r"\bMIT\b", file.name)] or files
    if not files:
        # The crate contains no licence text: its authors and the name of its licence.
        authors = ", ".join(package["authors"]) or package["repository"]
        return [f"{package['license']}, by {authors}"]
    return [file.read_text().replace("\r\n", "\n").strip() for file in files]


def notices() -> str:
    document = json.loads(cargo("metadata", "--locked", "--all-features", "--format-version", "1"))
    # The crates of this project have no source.
    others: Dict[Tuple[str, str], Any] = {
        (each["name"], each["version"]): each for each in document["packages"] if each["source"]
    }
    crates: Dict[Tuple[str, str], List[str]] = {}
    for package, called in PACKAGED.items():
        for crate in linked(package) & others.keys():
            crates.setdefault(crate, []).append(called)
    # Crates with the same text share a section.
    by_text: Dict[str, List[str]] = {}
    for crate in sorted(crates):
        head = f"{crate[0]} {crate[1]}, in {' and '.join(crates[crate])}"
        by_text.setdefault("\n\n".join(texts(others[crate])), []).append(head)
    rule = "-" * 80
    parts = [INTRODUCTION]
    for text, heads in by_text.items():
        parts.append("\n".join([rule, *heads, rule, "", text, ""]))
    return "\n".join(parts)


def main() -> int:
    text = notices()
    if sys.argv[1:] == ["--check"]:
        if not NOTICES.is_file() or NOTICES.read_text() != text:
            print(f"{NOTICES} is out of date; run: python3 packaging/notices.py", file=sys.stderr)
            return 1
        return 0
    NOTICES.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
