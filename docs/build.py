"""Builds the documentation: the book, its pictures, and the references of C, Python and Rust.

Usage: build.py FOLDER. The result is FOLDER/html. Any warning of any tool fails it. How the result
looks in a browser is not looked at here but in look.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
LINK = re.compile(r"(\]\()(\.\./[^)#\s]+)")


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """Runs a tool; fails, with what it said, where it fails."""
    ended = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        sys.exit(f"{ended.stdout}\ndocs: {command[0]} failed")
    return ended.stdout


def stage(book: Path) -> None:
    """The book's sources. A link out of docs/ gets a copy of the file that it leads to."""
    pages = book / "src"
    pages.mkdir(parents=True)
    for name in ("book.toml", "style.css", "labels.js"):
        shutil.copy(DOCS / name, book)

    def copied(link: re.Match[str]) -> str:
        source = (DOCS / link[2]).resolve()
        name = Path("source", source.relative_to(ROOT))
        # A browser shows a text, and would rather save a program; mdBook makes pages of `.md`.
        if source.suffix == ".md":
            target = pages / name.with_suffix(".txt")
        else:
            target = pages / name.with_name(name.name + ("" if source.suffix == ".svg" else ".txt"))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        return link[1] + target.relative_to(pages).as_posix()

    for page in DOCS.glob("*.md"):
        (pages / page.name).write_text(LINK.sub(copied, page.read_text()))


def pictures(to: Path) -> None:
    """Draws the pictures, wide and, for phones, narrow; those checked in must be the same."""
    for source in sorted((DOCS / "pictures").glob("*.dot")):
        for ending, direction in (("", "LR"), ("-narrow", "TB")):
            name = f"{source.stem}{ending}.svg"
            run("dot", "-Tsvg", f"-Grankdir={direction}", source, "-o", to / name)
            checked_in = source.with_name(name)
            if os.environ.get("CI") and drawing(to / name) != drawing(checked_in):
                sys.exit(f"docs: {checked_in.relative_to(ROOT)} is out of step: run make docs")
            shutil.copy(to / name, checked_in)


def drawing(picture: Path) -> str:
    """A picture without the comment that names the version of what drew it."""
    return re.sub(r"<!--.*?-->", "", picture.read_text(), flags=re.DOTALL)


def book(folder: Path, html: Path) -> None:
    """The pages, by mdBook, which tells of mistakes but does not fail for them."""
    said = run("mdbook", "build", folder, "--dest-dir", html)
    if "WARN" in said or "ERROR" in said:
        sys.exit(f"{said}\ndocs: mdbook warned")


def c_reference(to: Path) -> None:
    """The headers, by Doxygen."""
    to.mkdir()
    settings = (DOCS / "Doxyfile").read_text()
    settings += f"\nOUTPUT_DIRECTORY = {to.parent}\nHTML_OUTPUT = {to.name}\n"
    ended = subprocess.run(
        ["doxygen", "-"],
        cwd=ROOT,
        input=settings,
        text=True,
        capture_output=True,
        check=False,
    )
    if ended.returncode != 0 or ended.stderr.strip():
        sys.exit(f"{ended.stderr}\ndocs: doxygen failed or warned")


def python_reference(to: Path) -> None:
    """The package, by pdoc."""
    modules = ("bw_webrtc", "bw_webrtc.testing", "bw_webrtc.pytest_plugin")
    said = run(
        *(
            sys.executable,
            "-W",
            "error",
            "-m",
            "pdoc",
            "--no-show-source",
            "-o",
            to,
            *modules,
        ),
        PYTHONPATH=str(ROOT / "bindings" / "python" / "src"),
    )
    if said.strip():
        sys.exit(f"{said}\ndocs: pdoc warned")


def rust_reference(to: Path) -> None:
    """The crate, by rustdoc."""
    made = Path(run(ROOT / "scripts" / "target-dir").splitlines()[-1]) / "doc"
    shutil.rmtree(made, ignore_errors=True)
    cargo = os.environ.get("CARGO", "cargo")
    run(cargo, "doc", "--no-deps", "--package", "bw-webrtc", RUSTDOCFLAGS="-D warnings")
    shutil.copytree(made, to)


def main() -> None:
    """Builds all of it."""
    folder = Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    html = folder / "html"
    stage(folder / "book")
    (folder / "book/src/pictures").mkdir(exist_ok=True)
    pictures(folder / "book/src/pictures")
    book(folder / "book", html)
    c_reference(html / "c")
    python_reference(html / "python")
    rust_reference(html / "rust")
    print(f"docs: {html / 'index.html'}")


if __name__ == "__main__":
    main()
