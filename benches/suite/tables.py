"""Formats the results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .goals import Row


@dataclass
class Found:
    """The result of one part: rows for the goals, text, and the cases in which a peer is faster."""

    rows: list[Row] = field(default_factory=list)
    text: str = ""
    lost: list[str] = field(default_factory=list)


def table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A table whose first column is text and whose other columns are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    rows = [head, rule, *lines]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows) + "\n"


def goals(rows: Iterable[Row]) -> str:
    """The table of the goals."""
    return table(
        ("figure", "libbw_webrtc", "peer", "peer's figure", "ratio", "goal", "met"),
        (
            (
                f"{row.goal.figure}{f' ({row.note})' if row.note else ''}",
                row.ours,
                row.peer,
                row.theirs,
                "" if row.ratio is None else _ratio(row),
                row.goal,
                "yes" if row.met else f"**no**{_missed(row)}",
            )
            for row in rows
        ),
    )


def _ratio(row: Row) -> str:
    return f"{row.ratio:.2f}" if isinstance(row.ratio, float) else str(row.ratio)


def _missed(row: Row) -> str:
    """The difference to a missed goal, in percent."""
    if row.goal.shown:
        return ""
    return f", by {abs(row.value / row.goal.limit - 1):.0%}"


def number(value: float) -> str:
    """Formats a number with its significant digits."""
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def size(value: float) -> str:
    """Formats a number of bytes."""
    if abs(value) < 10_000:
        return f"{value:,.0f} B"
    return f"{value / 1024:,.0f} KiB" if abs(value) < 10 << 20 else f"{value / (1 << 20):,.1f} MiB"
