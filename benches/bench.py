"""Everything side by side on one machine, and benches/RESULTS.md with what came of it.

Servers and clients share one core, since two cores give two modes and not one figure. Clients take
turns, forwards and then backwards, and the figures are medians over the rounds, with the spread of
the ratios. Usage: bench.py [--rounds N]
"""

from __future__ import annotations

import argparse
import datetime
import platform
import re
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from common import LIBRARY, ROOT, instructions, measure, responder, syscalls

CORE = 0
C_CLIENTS = ("raw", "ours", "ours_cjson", "ours_cpp", "curl_cjson")
PYTHON_CLIENTS = tuple(
    f"python:{name}" for name in ("ours", "pycurl", "http.client", "requests", "httpx", "bandwidth")
)
CALLS = {"c": 3000, "python": 400}
NAMES = {
    "raw": "raw socket, C",
    "ours": "libbw_webrtc, C",
    "ours_cjson": "libbw_webrtc + cJSON, C",
    "ours_cpp": "libbw_webrtc, C++",
    "curl_cjson": "libcurl + cJSON, C",
    "python:ours": "libbw_webrtc, Python",
    "python:pycurl": "pycurl",
    "python:http.client": "http.client",
    "python:requests": "requests",
    "python:httpx": "httpx",
    "python:bandwidth": "bandwidth-sdk",
}


@dataclass(frozen=True)
class Row:
    """One figure beside its goal."""

    figure: str
    ours: str
    peer: str
    ratio: str
    goal: str
    met: bool

    def text(self) -> str:
        """As a line of the table."""
        cells = (self.figure, self.ours, self.peer, self.ratio, self.goal)
        return f"| {' | '.join(cells)} | {'yes' if self.met else '**no**'} |"


Rounds = dict[str, list[dict[str, float]]]


def rounds(clients: tuple[str, ...], tls: bool, count: int) -> Rounds:
    """What each client measured in each round."""
    results: Rounds = {client: [] for client in clients}
    with responder(tls, CORE) as server:
        for _ in range(count):
            for client in (*clients, *reversed(clients)):
                calls = CALLS["python" if client.startswith("python:") else "c"]
                results[client].append(measure(client, server, calls, core=CORE))
    return results


def median(results: Rounds, client: str, figure: str) -> float:
    """The median over all rounds."""
    return statistics.median(one[figure] for one in results[client])


def ratio(results: Rounds, one: str, other: str, figure: str) -> tuple[float, float]:
    """The median of the rounds' ratios, and how far they spread (half of the middle half)."""
    pairs = zip(results[one], results[other])
    ratios = [mine[figure] / theirs[figure] for mine, theirs in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return middle, (high - low) / 2


def latency(results: Rounds, form: str, one: str, other: str, most: float) -> Row:
    """A row for the median call."""
    middle, spread = ratio(results, one, other, "p50")
    return Row(
        f"p50, {NAMES[one]} ÷ {NAMES[other]}, {form}",
        f"{median(results, one, 'p50'):.1f} µs",
        f"{median(results, other, 'p50'):.1f} µs",
        f"{middle:.2f} ± {spread:.2f}",
        f"≤ {most}",
        middle <= most,
    )


def throughput(tls: bool, threads: int) -> Row:
    """Calls a second of many threads, on all cores."""
    rates: dict[str, list[float]] = {"ours": [], "curl_cjson": []}
    with responder(tls) as server:
        for _ in range(5):
            for client in ("ours", "curl_cjson", "curl_cjson", "ours"):
                calls = max(100, 12000 // threads)
                rates[client].append(measure(client, server, calls, threads)["rate"])
    mine, theirs = (statistics.median(rates[client]) for client in rates)
    form = "TLS" if tls else "plain"
    return Row(
        f"calls a second by {threads} threads, {form}",
        f"{mine:.0f}",
        f"{theirs:.0f}",
        f"{mine / theirs:.2f}",
        "≥ 1.2",
        mine / theirs >= 1.2,
    )


def cold(form: str) -> Row:
    """From nothing to the first answer, over TLS."""
    times: dict[str, list[float]] = {"ours": [], "curl_cjson": []}
    with responder(True, CORE) as server:
        for _ in range(15):
            for client in ("ours", "curl_cjson"):
                times[client].append(measure(client, server, 1, core=CORE)["cold"])
    mine, theirs = (statistics.median(times[client]) for client in times)
    share = f"{mine / theirs:.2f}"
    return Row(form, f"{mine:.0f} µs", f"{theirs:.0f} µs", share, "≤ 0.5", mine / theirs <= 0.5)


def newest_glibc() -> str:
    """The highest version of a symbol that the library asks glibc for."""
    listed = subprocess.run(
        ["readelf", "-V", "--wide", str(LIBRARY)], capture_output=True, text=True, check=True
    ).stdout
    versions = {
        tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([\d.]+)", listed)
    }
    return ".".join(map(str, max(versions)))


def fixed() -> list[Row]:
    """What no noise can move."""
    rows = []
    for tls in (False, True):
        with responder(tls) as server:
            form = "TLS" if tls else "plain"
            mine, theirs = (sum(syscalls(c, server).values()) for c in ("ours", "curl_cjson"))
            share = f"{mine / theirs:.2f}"
            name = f"system calls a warm call, {form}"
            rows.append(Row(name, f"{mine:g}", f"{theirs:g}", share, "≤ 4", mine <= 4.01))
            if not tls:
                few, many = (instructions(c, server) for c in ("ours", "curl_cjson"))
                rows.append(
                    Row(
                        "instructions a warm call",
                        f"{few:.0f}",
                        f"{many:.0f}",
                        f"{few / many:.2f}",
                        "≤ 0.40",
                        few / many <= 0.40,
                    )
                )
    size = LIBRARY.stat().st_size / 1e6
    rows.append(Row("stripped library", f"{size:.2f} MB", "", "", "≤ 2.4 MB", size <= 2.4))
    glibc = newest_glibc()
    rows.append(Row("highest GLIBC symbol", glibc, "", "", "2.17", glibc == "2.17"))
    return rows


def picture(results: dict[str, Rounds]) -> str:
    """The medians as bars, an SVG."""
    bars = [
        (f"{NAMES[client]}, {form}", median(measured, client, "p50"))
        for form, measured in results.items()
        for client in measured
    ]
    longest = max(value for _, value in bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{len(bars) * 22 + 40}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="8" y="20">one call, median, in microseconds (server on the same core)</text>',
    ]
    for at, (name, value) in enumerate(bars):
        y, width = 30 + at * 22, max(1.0, 420 * value / longest)
        colour = "#2266aa" if "libbw" in name else "#999999"
        lines.append(f'<text x="240" y="{y + 14}" text-anchor="end">{name}</text>')
        lines.append(f'<rect x="250" y="{y + 3}" width="{width:.0f}" height="14" fill="{colour}"/>')
        lines.append(f'<text x="{254 + width:.0f}" y="{y + 14}">{value:.0f}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def main() -> None:
    """Measures all, and writes RESULTS.md and latency.svg."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    count = parser.parse_args().rounds
    forms = {"plain": False, "TLS": True}
    native = {form: rounds(C_CLIENTS, tls, count) for form, tls in forms.items()}
    scripted = {form: rounds(PYTHON_CLIENTS, tls, count) for form, tls in forms.items()}
    rows = []
    for form, to_curl, to_raw in (("plain", 0.70, 1.35), ("TLS", 0.65, 1.25)):
        rows.append(latency(native[form], form, "ours", "curl_cjson", to_curl))
        rows.append(latency(native[form], form, "ours", "raw", to_raw))
        for peer, most in (("bandwidth", 0.06), ("requests", 0.10), ("pycurl", 0.75)):
            rows.append(latency(scripted[form], form, "python:ours", f"python:{peer}", most))
    rows += [throughput(tls, threads) for tls in forms.values() for threads in (2, 8, 64)]
    rows.append(cold("client made and first TLS call, small CA file"))
    rows += fixed()
    details = [
        f"| {NAMES[client]}, {form} | {median(measured, client, 'p50'):.1f} | "
        f"{median(measured, client, 'p99'):.1f} | {median(measured, client, 'cpu'):.1f} |"
        for results in (native, scripted)
        for form, measured in results.items()
        for client in measured
    ]
    here = Path(__file__).parent
    (here / "latency.svg").write_text(picture({**native}))
    (here / "RESULTS.md").write_text(
        f"# Results\n\nMade by `make bench` on {datetime.date.today()}, on {platform.machine()}, "
        f"Linux {platform.release().split('-')[0]}. Server and client share a core, clients take "
        f"turns in {count} rounds of ABBA; medians, and half of the middle half of the ratios.\n\n"
        "![latencies](latency.svg)\n\n## Goals\n\n"
        "| figure | ours | peer (libcurl + cJSON unless said) | ratio | goal | met |\n"
        "|---|---|---|---|---|---|\n"
        + "\n".join(row.text() for row in rows)
        + "\n\n## Microseconds a call\n\n| client | p50 | p99 | CPU |\n|---|---|---|---|\n"
        + "\n".join(details)
        + "\n\nNot measured yet: nginx as the server, memory of warm connections, the system's "
        "bundle of authorities at the start, the queue's throughput, cost as the work grows.\n"
    )
    print((ROOT / "benches" / "RESULTS.md").read_text())


if __name__ == "__main__":
    main()
