"""Figures of several repetitions, and rows of the one table that they make."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

HEADER = "| figure | ours | against | ratio |\n|---|---|---|---|"


class Row(NamedTuple):
    """One line of the table."""

    figure: str
    ours: str
    against: str
    ratio: str

    def __str__(self) -> str:
        """The line as Markdown."""
        return f"| {self.figure} | {self.ours} | {self.against} | {self.ratio} |"


def number(value: float) -> str:
    """Three significant figures, thousands separated."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values: Sequence[float], scale: float = 1.0) -> str:
    """Median and range of the repetitions."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{number(middle * scale)} ({number(low * scale)} to {number(high * scale)})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours over theirs, repetition by repetition: what else the machine did met both."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
