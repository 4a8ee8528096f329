"""SVG pictures, for light and dark themes: latencies as bars, growth as curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from .clients import NAMES, NATIVE, SCRIPTED, is_ours
from .figures import median
from .goals import FORMS
from .growth import Curve, Growth
from .latency import Latencies
from .tables import number

STYLE = """\
<style>
  text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; }
  text { fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .head { font-size: 13px; font-weight: 600; }
  .quiet { fill: #59636e; }
  .card { fill: #ffffff; stroke: #d1d9e0; }
  .line { stroke: #d8dee4; fill: none; }
  .ours { fill: #0969da; } .ours.tls { fill: #54a3ff; }
  .peer { fill: #818b98; } .peer.tls { fill: #b6bec8; }
  .curve { fill: none; stroke-width: 2; }
  .curve.ours { stroke: #0969da; fill: none; } .curve.peer { stroke: #818b98; fill: none; }
  .strong { font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .card { fill: #0d1117; stroke: #3d444d; }
    .line { stroke: #2f353d; }
    .ours { fill: #2f81f7; } .ours.tls { fill: #79b8ff; }
    .peer { fill: #6e7681; } .peer.tls { fill: #a0a8b2; }
    .curve.ours { stroke: #4493f8; fill: none; } .curve.peer { stroke: #9198a1; fill: none; }
  }
</style>
"""
WIDTH = 840


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" role="img" aria-label="{escape(title)}">\n{STYLE}'
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" '
        'rx="8"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" '
        f'height="{height}" rx="2"/>'
    )


BAR, ROW, LEFT, ROOM = 11, 34, 190, 560


def latency(results: Latencies) -> str:
    """The median call of each client at the responder. The scales for C and for Python differ."""
    title = "One call, median, µs"
    parts = [
        _text(20, 32, title, "title"),
        _text(WIDTH - 20, 32, "one connection, server on the same core", "quiet", "end"),
    ]
    y = 48.0
    for head, clients in (("C and C++", NATIVE), ("Python", SCRIPTED)):
        parts.append(_text(20, y + 16, head, "head"))
        # The legend: a shade for each form.
        for at, form in enumerate(FORMS):
            x = LEFT + at * 70.0
            parts.append(_bar(x, y + 7, BAR, BAR, f"ours{' tls' if FORMS[form] else ''}"))
            parts.append(_text(x + BAR + 6, y + 16, form, "quiet"))
        y += 28
        values = {
            (client, form): median(results["responder", form], client, "p50")
            for client in clients
            for form in FORMS
        }
        longest = max(values.values())
        # The fastest client first.
        for client in sorted(clients, key=lambda client: values[client, "plain"]):
            kind = "ours" if is_ours(client) else "peer"
            strong = "strong" if is_ours(client) else ""
            parts.append(_text(LEFT - 12, y + 16, NAMES[client], strong, "end"))
            for at, (form, tls) in enumerate(FORMS.items()):
                value = values[client, form]
                width = ROOM * value / longest
                top = y + at * (BAR + 1)
                parts.append(_bar(LEFT, top, width, BAR, f"{kind}{' tls' if tls else ''}"))
                parts.append(_text(LEFT + width + 6, top + 10, number(value), "quiet"))
            y += ROW
        y += 12
    return _svg(y + 4, title, parts)


PANEL, HIGH, GAP, ACROSS = 200.0, 130.0, 66.0, 3


def growth(growths: Sequence[Growth]) -> str:
    """A panel for each dimension. Both axes are logarithmic."""
    title = "Cost as the work grows"
    parts = [
        _text(20, 32, title, "title"),
        _text(WIDTH - 20, 32, "logarithmic; a constant cost per unit is linear", "quiet", "end"),
        '<path class="curve ours" d="M 230 28 h 22"/>', _text(258, 32, "libbw_webrtc"),
        '<path class="curve peer" d="M 350 28 h 22"/>', _text(378, 32, "libcurl"),
    ]  # fmt: skip
    pictured = [one for one in growths if one.pictured]
    for at, one in enumerate(pictured):
        x = 62 + (at % ACROSS) * (PANEL + GAP)
        y = 96 + (at // ACROSS) * (HIGH + 92)
        parts += _panel(one, x, y)
    rows = -(-len(pictured) // ACROSS)
    return _svg(96 + rows * (HIGH + 92) - 30, title, parts)


def _panel(one: Growth, left: float, top: float) -> list[str]:
    points = [one.shown(curve) for curve in one.curves]
    sizes = [size for size, _ in points[0]]
    costs = [max(cost, 1e-3) for curve in points for _, cost in curve]
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
    high = max(high, low + 1)
    span = math.log10(sizes[-1] / sizes[0])

    def across(size: float) -> float:
        return left + PANEL * math.log10(size / sizes[0]) / span

    def up(cost: float) -> float:
        return top + HIGH * (1 - (math.log10(max(cost, 1e-3)) - low) / (high - low))

    parts = [
        _text(left - 44, top - 28, one.title, "head"),
        _text(left - 44, top - 13, one.unit, "quiet"),
    ]
    for power in range(low, high + 1):
        y = up(10.0**power)
        parts.append(f'<path class="line" d="M {left} {y:.1f} h {PANEL}"/>')
        parts.append(_text(left - 6, y + 4, _short(10.0**power), "quiet", "end"))
    marks = sizes if len(sizes) < 6 else sizes[::2]
    parts += [
        _text(across(size), top + HIGH + 18, _short(size), "quiet", "middle") for size in marks
    ]
    parts.append(_text(left + PANEL, top + HIGH + 34, one.of, "quiet", "end"))
    # The curve of this library is drawn last.
    for curve in sorted(one.curves, key=lambda curve: curve.ours):
        parts += _curve(curve, [(across(size), up(cost)) for size, cost in one.shown(curve)])
    return parts


def _curve(curve: Curve, points: Sequence[tuple[float, float]]) -> list[str]:
    kind = "ours" if curve.ours else "peer"
    path = " L ".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = [f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]
    return [f'<path class="curve {kind}" d="M {path}"/>', *dots]


def _short(value: float) -> str:
    for power, letter in ((1e6, "M"), (1e3, "k")):
        if value >= power * 0.999:
            return f"{value / power:.0f}{letter}"
    return f"{value:g}"
