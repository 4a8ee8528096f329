"""The arithmetic: medians, ratios of rounds and their spread, and how a cost grows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .running import Rounds

LINEAR = 1.1
"""A cost with an exponent up to this limit grows linearly, within the noise."""


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios of all rounds, and half of their interquartile range."""

    middle: float
    spread: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ± {self.spread:.2f}"


def median(rounds: Rounds, client: str, figure: str) -> float:
    """The median over all rounds."""
    return statistics.median(one[figure] for one in rounds[client])


def ratio(rounds: Rounds, one: str, other: str, figure: str) -> Ratio:
    """The ratio of one client's figure to the other's in each round (the mean of two runs)."""
    mine, theirs = (_by_round([turn[figure] for turn in rounds[client]]) for client in (one, other))
    ratios = [a / b for a, b in zip(mine, theirs)]
    if len(ratios) < 2:
        return Ratio(ratios[0], 0.0)
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Ratio(middle, (high - low) / 2)


def _by_round(turns: Sequence[float]) -> list[float]:
    return [(there + back) / 2 for there, back in zip(turns[::2], turns[1::2])]


def exponent(costs: Sequence[tuple[float, float]]) -> float:
    """The k of cost ~ size^k over the last tenfold growth of the size; 1 is linear."""
    (_, largest) = costs[-1]
    size = costs[-1][0]
    smaller, cost = min(costs[:-1], key=lambda point: abs(math.log10(size / point[0]) - 1))
    return math.log(max(largest, 1e-9) / max(cost, 1e-9)) / math.log(size / smaller)
