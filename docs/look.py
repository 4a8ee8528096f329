"""Checks the built documentation in headless Chromium, with the width of a desktop and of a phone.

Usage: look.py HTML [--pictures FOLDER]. Reports broken links and anchors, missing pictures,
elements that are wider than the window, code and tables that are cut off on a desktop, and errors
on the console. With --pictures, it also writes a screenshot of each page.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urldefrag, urlsplit

WIDTHS = {"desktop": (1440, 900), "phone": (390, 844)}
LIMIT = 30.0
"""The time limit for a page or a response of the browser, in seconds."""

# Returns the state of a page. On a phone, an element may be wider if it scrolls in its own box.
INSPECT = """
(() => {
  const name = e => (e.outerHTML.slice(0, 60) + " .. " + e.textContent.slice(0, 60));
  const cut = e => e.scrollWidth > e.clientWidth + 1;
  const main = document.querySelector("main") || document.body;
  const scrolls = e =>
    e !== main && (getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
  const outside = e => {
    const box = e.getBoundingClientRect();
    return (box.right > WIDTH + 1 || box.left < -1) && !scrolls(e.parentElement);
  };
  return {
    links: [...document.querySelectorAll("a[href]")].map(a => a.href),
    missing: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
    outside: [...main.querySelectorAll("*")].filter(outside).map(name),
    cut: [...main.querySelectorAll("pre > code, .table-wrapper")].filter(cut).map(name),
  };
})()
"""


class Browser:
    """A headless Chromium, controlled through two pipes."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="docs-look-")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # Chromium uses 3 and 4: choose other numbers, which the shell moves there.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser, from_browser)]
        self._process = subprocess.Popen(
            [
                *("bash", "-c", f'exec "$@" 3<&{ends[0]} 4>&{ends[1]}', "bash", "chromium"),
                *("--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update"),
                *("--disable-sync", "--disable-quic", "--hide-scrollbars"),
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
                f"--user-data-dir={self._profile.name}",
                "about:blank",
            ],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_browser, from_browser, *ends):
            os.close(end)
        self._pending = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []
        self._session: str | None = None
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        attached = self.command("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        try:
            self._profile.cleanup()
        except OSError:
            # A child process of the browser may still write files.
            time.sleep(1)
            self._profile.cleanup()

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and returns its result."""
        self._number += 1
        message: dict[str, Any] = {
            "id": self._number,
            "method": method,
            "params": parameters,
        }
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + LIMIT
        while True:
            message = self._next(until, method)
            if message.get("id") == self._number:
                if "error" in message:
                    sys.exit(f"docs: the browser rejected {method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    def open(self, url: str) -> list[str]:
        """Opens a page, waits until it is loaded, and returns the errors on its console."""
        self.events.clear()
        self.command("Page.navigate", url=url)
        until = time.monotonic() + LIMIT
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next(until, url))
        # Fonts and scripts change the layout in the frames after the load event.
        settled = "new Promise(done => document.fonts.ready.then(() => setTimeout(done, 50)))"
        self.command("Runtime.evaluate", expression=settled, awaitPromise=True)
        logged = [e["params"]["entry"] for e in self.events if e.get("method") == "Log.entryAdded"]
        wrong = [f"{e['text']} {e.get('url', '')}" for e in logged if e["level"] == "error"]
        thrown = [e for e in self.events if e.get("method") == "Runtime.exceptionThrown"]
        return wrong + [e["params"]["exceptionDetails"]["text"] for e in thrown]

    def inspect(self, width: int) -> dict[str, Any]:
        """Returns the state of the open page, in a window of this width."""
        script = INSPECT.replace("WIDTH", str(width))
        found = self.command("Runtime.evaluate", expression=script, returnByValue=True)
        state: dict[str, Any] = found["result"]["value"]
        return state

    def size(self, width: int, height: int, *, phone: bool) -> None:
        """Sets the size of the window."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )

    def picture(self, file: Path) -> None:
        """Writes a screenshot of the whole page."""
        taken = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(taken["data"]))

    def _next(self, until: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._pending:
            left = max(0.0, until - time.monotonic())
            if not select.select([self._read], [], [], left)[0]:
                sys.exit(f"docs: the browser did not respond within {LIMIT:g} s: {what}")
            more = os.read(self._read, 1 << 20)
            if not more:
                sys.exit(f"docs: the browser ended ({self._process.wait()}): {what}")
            self._pending += more
        message, _, self._pending = self._pending.partition(b"\0")
        decoded: dict[str, Any] = json.loads(message)
        return decoded


def anchors(file: Path, known: dict[Path, set[str]]) -> set[str]:
    """Returns the anchors in a page."""
    if file not in known:
        text = file.read_text(errors="replace")
        known[file] = set(re.findall(r"""\s(?:id|name)=["']([^"']+)["']""", text))
    return known[file]


def is_broken(link: str, known: dict[Path, set[str]]) -> bool:
    """Returns whether a link into the built documentation is broken."""
    url, anchor = urldefrag(link)
    if urlsplit(url).scheme != "file":
        return False
    file = Path(unquote(urlsplit(url).path))
    if file.is_dir():
        file /= "index.html"
    if not file.is_file():
        return True
    # A script of rustdoc creates the anchors of lines.
    if re.fullmatch(r"[\d-]*", anchor):
        return False
    return unquote(anchor) not in anchors(file, known)


def main() -> int:
    """Checks all pages; returns 1 if there is a problem."""
    parser = argparse.ArgumentParser()
    parser.add_argument("html", type=Path)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    html: Path = arguments.html.resolve()
    # All pages of the book, and the first pages of the references.
    book = sorted(p for p in html.glob("*.html") if p.name not in ("404.html", "toc.html"))
    entrances = [html / "c/index.html", html / "python/bw_webrtc.html"]
    entrances.append(html / "rust/bw_webrtc/index.html")
    problems: list[str] = []
    bad: set[str] = set()
    checked = links = 0
    known: dict[Path, set[str]] = {}
    with Browser() as browser:
        for kind, (width, height) in WIDTHS.items():
            browser.size(width, height, phone=kind == "phone")
            for page in [*book, *entrances]:
                name = f"{page.relative_to(html)} ({kind})"
                wrong = browser.open(page.as_uri())
                state = browser.inspect(width)
                wrong += [f"picture is missing: {source}" for source in state["missing"]]
                if page in book:
                    wrong += [f"is wider than the window: {what}" for what in state["outside"]]
                if kind == "desktop":
                    if page in book:
                        wrong += [f"is cut off: {what}" for what in state["cut"]]
                    links += len(state["links"])
                    wrong += [
                        f"broken link: {link}" for link in state["links"] if is_broken(link, known)
                    ]
                checked += 1
                problems += [f"{name}: {what}" for what in wrong]
                bad |= {name} if wrong else set()
                if arguments.pictures and page in book:
                    arguments.pictures.mkdir(parents=True, exist_ok=True)
                    browser.picture(arguments.pictures / f"{page.stem}-{kind}.png")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"docs: {links} links followed, {len(problems)} problems")
    print(f"docs: {checked - len(bad)} passed, {len(bad)} failed")
    return 1 if problems or links < len(book) else 0


if __name__ == "__main__":
    sys.exit(main())
