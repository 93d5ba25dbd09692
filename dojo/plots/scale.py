"""Axes and step functions: round numbers for ticks, and what a series was at an x or highest between two."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from dojo.plots.chart import Point, Series


def ticks(top: float, most: int) -> list[float]:
    """Round numbers from 0 to the first one that is not below `top`, at most `most` + 1 of them, evenly spaced.

    The steps are 1, 2 or 5 times a power of ten, and whole: everything that is drawn here is counted.
    """
    top = max(top, 1.0)
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            count = math.ceil(top / step - 1e-9)
            if count <= most:
                return [float(step * n) for n in range(count + 1)]
        power *= 10


@dataclass(frozen=True, slots=True)
class Rows:
    """A y axis of whole rows, whose ticks fall between two of them."""

    count: int
    top: float
    step: float
    """Distance of the ticks."""

    @property
    def height(self) -> float:
        """Of one row, in the axis' unit."""
        return self.top / self.count

    def tick_at(self, edge: int) -> bool:
        """Whether there is a tick on the upper edge of so many rows."""
        steps = edge * self.height / self.step
        return 0 <= edge <= self.count and abs(steps - round(steps)) < 1e-9


def rows_for(peak: float, most: int) -> Rows:
    """Of the axes with round ticks and at most so many rows, the one on which `peak` is highest.

    A row is a whole number of things, or a thing is a whole number of rows.
    """
    powers = [10**exponent for exponent in range(len(str(int(peak))) + 1)]
    steps = [factor * power for power in powers for factor in (1, 2, 5)]
    fitting = [
        Rows(most // count * count, float(step * count), float(step))
        for count in range(1, min(most, 6) + 1)
        for step in steps
        if step * count >= peak and (step % (most // count) == 0 or (most // count) % step == 0)
    ]
    return max(fitting, key=lambda rows: (round(peak / rows.height, 6), -rows.top, -rows.step))


def number(value: float) -> str:
    """As short as it can be read: ``20``, ``9.5``, ``12k``."""
    if value >= 10_000:
        return f"{value / 1000:.3g}k"
    return f"{value:.4g}"


def highest(series: Series, start: float, end: float) -> float:
    """The highest value that the series has somewhere in [start, end); 0 before its first point."""
    xs = [x for x, _ in series.points]
    first = bisect_right(xs, start) - 1
    inside = [y for x, y in series.points[max(first, 0) :] if x < end]
    return max(inside, default=0.0) if first >= 0 or inside else 0.0


def counted(times: Iterable[float], end: float, width: float) -> tuple[Point, ...]:
    """How many of `times` fall into each bin of `width` from 0 to `end`; later ones are left out."""
    bins = [0] * math.ceil(end / width - 1e-9)
    for time in times:
        # The bin that a time on the border opens, whatever the division makes of it.
        index = math.floor(time / width + 1e-9)
        if 0 <= index < len(bins):
            bins[index] += 1
    return tuple((round(index * width, 6), float(count)) for index, count in enumerate(bins))


def changing(changes: Iterable[tuple[float, int]]) -> tuple[Point, ...]:
    """The running total of (time, by how much) pairs, from 0 at time 0; one point an instant."""
    total, points = 0, {0.0: 0.0}
    for time, change in sorted(changes):
        total += change
        points[round(time, 6)] = float(total)
    return tuple(points.items())
