"""What a measurement yields: charts as plain frozen values that survive JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    label: str
    unit: str = ""
    counts: bool = False
    """Whether it numbers things one by one: what holds from n to n + 1 is number n's."""

    def __str__(self) -> str:
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True, slots=True)
class Series:
    """A quantity that changes in steps: each point's y holds from its x up to the next point's."""

    name: str
    points: tuple[Point, ...]
    """At least one, in the order of x."""

    @property
    def peak(self) -> float:
        return max(y for _, y in self.points)


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across a chart that has a name: a limit, a moment."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture of what one implementation did."""

    title: str
    """Names the chart: those of two implementations with the same title belong together."""
    about: str
    """One sentence: the situation, and what to look for."""
    x: Axis
    y: Axis
    end: float
    """Where the x axis ends; it begins at 0, and so does the y axis."""
    shown: Series
    """What the implementation did."""
    behind: Series | None = None
    """What it was up against, or what it is to be compared with; drawn lighter, behind the other."""
    limit: Mark | None = None
    """A level of y that `shown` is to be compared with."""
    moment: Mark | None = None
    """A place on the x axis where something happens."""
    note: str = ""
    """What this run comes to, in figures."""

    @property
    def peak(self) -> float:
        """The highest value that has to fit."""
        heights = [self.shown.peak]
        if self.behind is not None:
            heights.append(self.behind.peak)
        if self.limit is not None:
            heights.append(self.limit.at)
        return max(heights)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `from_json` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Chart:
        """Raises ValueError, KeyError or TypeError for what cannot be a chart."""
        shown, behind, limit, moment = (data[name] for name in ("shown", "behind", "limit", "moment"))
        return cls(
            **{
                **data,
                "x": Axis(**data["x"]),
                "y": Axis(**data["y"]),
                "shown": _series(shown),
                "behind": None if behind is None else _series(behind),
                "limit": None if limit is None else Mark(**limit),
                "moment": None if moment is None else Mark(**moment),
            }
        )


def _series(data: Mapping[str, Any]) -> Series:
    points = tuple((float(x), float(y)) for x, y in data["points"])
    if not points or not all(math.isfinite(value) for point in points for value in point):
        raise ValueError(f"the series {data['name']!r} has no points, or some that no axis can hold")
    return Series(str(data["name"]), points)
