"""Text: what each part of the benchmark found, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .goals import Row


@dataclass
class Found:
    """What one part measured: rows for the goals, text of its own, and where a peer wins."""

    rows: list[Row] = field(default_factory=list)
    text: str = ""
    lost: list[str] = field(default_factory=list)


def table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A table; its first column is text, the others numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    rows = [head, rule, *lines]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows) + "\n"


def goals(rows: Iterable[Row]) -> str:
    """The goals, and what is met."""
    return table(
        ("figure", "ours", "peer", "its", "ratio", "goal", "met"),
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
    """By how much a goal is missed."""
    if row.goal.shown:
        return ""
    return f", by {abs(row.value / row.goal.limit - 1):.0%}"


def number(value: float) -> str:
    """With as many digits as say something."""
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def size(value: float) -> str:
    """Bytes, as people read them."""
    if abs(value) < 10_000:
        return f"{value:,.0f} B"
    return f"{value / 1024:,.0f} KiB" if abs(value) < 10 << 20 else f"{value / (1 << 20):,.1f} MiB"
