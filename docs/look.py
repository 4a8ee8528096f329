"""Looks at the built documentation in headless Chromium, as wide as a desktop and as a phone.

Usage: look.py HTML [--pictures FOLDER]. Fails for links and anchors that lead nowhere, pictures
that are missing, what is wider than the window, code and tables that are cut off on a desktop, and
errors on the console. With --pictures the pages are also kept as pictures, for a person.
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
"""Seconds that a page, or the browser's answer, may take."""

# What one page says of itself. What scrolls inside a box of its own is fine on a phone.
LOOK = """
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
    """A headless Chromium, spoken to through two pipes; ends with this object."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="docs-look-")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # Chromium speaks on 3 and 4; these are away from them until the shell moves them.
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
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

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
            # A child of the browser's may still be writing there.
            time.sleep(1)
            self._profile.cleanup()

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command; its answer."""
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
            answer = self._next(until, method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    sys.exit(f"docs: the browser refused {method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, url: str) -> list[str]:
        """Opens a page and waits until it is there; the errors that it brought."""
        self.events.clear()
        self.ask("Page.navigate", url=url)
        until = time.monotonic() + LIMIT
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next(until, url))
        # Fonts and scripts settle in the frames after the load.
        settled = "new Promise(done => document.fonts.ready.then(() => setTimeout(done, 50)))"
        self.ask("Runtime.evaluate", expression=settled, awaitPromise=True)
        logged = [e["params"]["entry"] for e in self.events if e.get("method") == "Log.entryAdded"]
        wrong = [f"{e['text']} {e.get('url', '')}" for e in logged if e["level"] == "error"]
        thrown = [e for e in self.events if e.get("method") == "Runtime.exceptionThrown"]
        return wrong + [e["params"]["exceptionDetails"]["text"] for e in thrown]

    def look(self, width: int) -> dict[str, Any]:
        """What the page that is open says of itself, in a window of this width."""
        script = LOOK.replace("WIDTH", str(width))
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        said: dict[str, Any] = found["result"]["value"]
        return said

    def size(self, width: int, height: int, *, phone: bool) -> None:
        """The size of the window."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )

    def picture(self, file: Path) -> None:
        """The whole page as a picture."""
        taken = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(taken["data"]))

    def _next(self, until: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._pending:
            left = max(0.0, until - time.monotonic())
            if not select.select([self._read], [], [], left)[0]:
                sys.exit(f"docs: the browser did not answer within {LIMIT:g} s: {what}")
            more = os.read(self._read, 1 << 20)
            if not more:
                sys.exit(f"docs: the browser ended ({self._process.wait()}): {what}")
            self._pending += more
        message, _, self._pending = self._pending.partition(b"\0")
        said: dict[str, Any] = json.loads(message)
        return said


def anchors(file: Path, known: dict[Path, set[str]]) -> set[str]:
    """The anchors in a page."""
    if file not in known:
        text = file.read_text(errors="replace")
        known[file] = set(re.findall(r"""\s(?:id|name)=["']([^"']+)["']""", text))
    return known[file]


def dead(link: str, known: dict[Path, set[str]]) -> bool:
    """Whether a link into the built documentation leads nowhere."""
    url, anchor = urldefrag(link)
    if urlsplit(url).scheme != "file":
        return False
    file = Path(unquote(urlsplit(url).path))
    if file.is_dir():
        file /= "index.html"
    if not file.is_file():
        return True
    # Anchors of lines are made by rustdoc's script.
    if re.fullmatch(r"[\d-]*", anchor):
        return False
    return unquote(anchor) not in anchors(file, known)


def main() -> int:
    """Looks at all pages; 1 if something is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("html", type=Path)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    html: Path = arguments.html.resolve()
    # The book's own pages in full; of the references, which tools lay out, the entrances.
    book = sorted(p for p in html.glob("*.html") if p.name not in ("404.html", "toc.html"))
    entrances = [html / "c/index.html", html / "python/bw_webrtc.html"]
    entrances.append(html / "rust/bw_webrtc/index.html")
    problems: list[str] = []
    bad: set[str] = set()
    looked = links = 0
    known: dict[Path, set[str]] = {}
    with Browser() as browser:
        for kind, (width, height) in WIDTHS.items():
            browser.size(width, height, phone=kind == "phone")
            for page in [*book, *entrances]:
                name = f"{page.relative_to(html)} ({kind})"
                wrong = browser.open(page.as_uri())
                said = browser.look(width)
                wrong += [f"picture is missing: {source}" for source in said["missing"]]
                if page in book:
                    wrong += [f"is wider than the window: {what}" for what in said["outside"]]
                if kind == "desktop":
                    if page in book:
                        wrong += [f"is cut off: {what}" for what in said["cut"]]
                    links += len(said["links"])
                    wrong += [
                        f"link leads nowhere: {link}" for link in said["links"] if dead(link, known)
                    ]
                looked += 1
                problems += [f"{name}: {what}" for what in wrong]
                bad |= {name} if wrong else set()
                if arguments.pictures and page in book:
                    arguments.pictures.mkdir(parents=True, exist_ok=True)
                    browser.picture(arguments.pictures / f"{page.stem}-{kind}.png")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"docs: {links} links followed, {len(problems)} problems")
    print(f"docs: {looked - len(bad)} passed, {len(bad)} failed")
    return 1 if problems or links < len(book) else 0


if __name__ == "__main__":
    sys.exit(main())
