"""Builds the documentation: the book, its pictures, and the references of C, Python and Rust.

Usage: build.py FOLDER. The result is FOLDER/html. Any warning of a tool is an error. look.py checks
the result in a browser.
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
    """Runs a tool and returns its output; exits with the output if the tool fails."""
    result = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        sys.exit(f"{result.stdout}\ndocs: {command[0]} failed")
    return result.stdout


def stage(book: Path) -> None:
    """Copies the sources of the book, and each file outside docs/ to which a page links."""
    pages = book / "src"
    pages.mkdir(parents=True)
    for name in ("book.toml", "style.css", "labels.js"):
        shutil.copy(DOCS / name, book)

    def copied(link: re.Match[str]) -> str:
        source = (DOCS / link[2]).resolve()
        name = Path("source", source.relative_to(ROOT))
        # A browser displays `.txt`, but downloads a program; mdBook would convert `.md`.
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
    """Draws the pictures, wide and narrow (for phones), and updates those that are checked in.

    A picture that is vertical in its source has only this form.
    """
    for source in sorted((DOCS / "pictures").glob("*.dot")):
        vertical = "rankdir=TB" in source.read_text()
        for ending, direction in (("", "TB"),) if vertical else (("", "LR"), ("-narrow", "TB")):
            name = f"{source.stem}{ending}.svg"
            run("dot", "-Tsvg", f"-Grankdir={direction}", source, "-o", to / name)
            checked_in = source.with_name(name)
            if os.environ.get("CI") and drawing(to / name) != drawing(checked_in):
                sys.exit(f"docs: {checked_in.relative_to(ROOT)} is out of date: run make docs")
            shutil.copy(to / name, checked_in)


def drawing(picture: Path) -> str:
    """A picture without the comment that contains the version of Graphviz."""
    return re.sub(r"<!--.*?-->", "", picture.read_text(), flags=re.DOTALL)


def book(folder: Path, html: Path) -> None:
    """Builds the pages with mdBook, which reports mistakes but does not fail."""
    output = run("mdbook", "build", folder, "--dest-dir", html)
    if "WARN" in output or "ERROR" in output:
        sys.exit(f"{output}\ndocs: mdbook warned")


def c_reference(to: Path) -> None:
    """Builds the reference of the headers with Doxygen."""
    to.mkdir()
    settings = (DOCS / "Doxyfile").read_text()
    settings += f"\nOUTPUT_DIRECTORY = {to.parent}\nHTML_OUTPUT = {to.name}\n"
    result = subprocess.run(
        ["doxygen", "-"],
        cwd=ROOT,
        input=settings,
        text=True,
        capture_output=True,
        check=False,
    )
    if result.returncode != 0 or result.stderr.strip():
        sys.exit(f"{result.stderr}\ndocs: doxygen failed or warned")


def python_reference(to: Path) -> None:
    """Builds the reference of the Python package with pdoc."""
    modules = ("bw_webrtc", "bw_webrtc.testing", "bw_webrtc.pytest_plugin")
    output = run(
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
    if output.strip():
        sys.exit(f"{output}\ndocs: pdoc warned")


def rust_reference(to: Path) -> None:
    """Builds the reference of the crate with rustdoc."""
    built = Path(run(ROOT / "scripts" / "target-dir").splitlines()[-1]) / "doc"
    shutil.rmtree(built, ignore_errors=True)
    cargo = os.environ.get("CARGO", "cargo")
    run(cargo, "doc", "--no-deps", "--package", "bw-webrtc", RUSTDOCFLAGS="-D warnings")
    shutil.copytree(built, to)


def main() -> None:
    """Builds everything."""
    folder = Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    html = folder / "html"
    stage(folder / "book")
    (folder / "book/src/pictures").mkdir(exist_ok=True)
    for picture in (DOCS / "pictures").glob("*.png"):
        shutil.copy(picture, folder / "book/src/pictures")
    pictures(folder / "book/src/pictures")
    book(folder / "book", html)
    c_reference(html / "c")
    python_reference(html / "python")
    rust_reference(html / "rust")
    print(f"docs: {html / 'index.html'}")


if __name__ == "__main__":
    main()
