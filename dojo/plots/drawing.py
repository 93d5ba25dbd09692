"""What is drawn: the charts of one or two implementations, paired; one where there is no reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dojo.plots.chart import Chart
from dojo.plots.measuring import Measured

Figure = tuple[tuple[int, Chart], ...]
"""Charts of one title, each with the place of its implementation in the drawing: 0 the learner's, 1 the reference."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A kata's charts, of the implementation that was asked for and of the reference if there is one."""

    kata: str
    names: tuple[str, ...]
    """What the implementations are called in the picture: one name or two."""
    measured: tuple[Measured, ...]
    """As many."""
    seed: int | None

    @property
    def figures(self) -> Sequence[Figure]:
        """In the order of the reference's charts, which are complete."""
        if len(self.measured) == 1:
            return [((0, chart),) for chart in self.measured[0].charts]
        found = []
        for chart in self.measured[1].charts:
            mine = [(0, other) for other in self.measured[0].charts if other.title == chart.title]
            found.append((*mine[:1], (1, chart)))
        return found

    @property
    def setting(self) -> str:
        """One line about how it came to be."""
        chance = "" if self.seed is None else f", seed {self.seed}"
        return f"In virtual time{chance}: {self.who}."

    @property
    def who(self) -> str:
        """Whose charts they are, for a heading."""
        if len(self.names) == 1:
            return f"{self.names[0]} alone"
        return (
            f"{self.names[0]} beside the {self.names[1]}" if self.measured[0].charts else f"the {self.names[1]} alone"
        )

    @property
    def trouble(self) -> str:
        """Why the first one's charts are missing, or some of them; empty if none is."""
        first = self.measured[0]
        if not first.trouble:
            return ""
        if first.unwritten and not first.charts:
            return f"{self.names[0]}: {first.trouble}"
        what = "could not be drawn in full" if first.charts else "could not be drawn"
        return f"{self.names[0]} {what}:\n" + "\n".join(f"  {line}" for line in first.trouble.splitlines())

    def to_json(self) -> dict[str, Any]:
        implementations = [
            {"name": name, "trouble": each.trouble, "charts": [chart.to_json() for chart in each.charts]}
            for name, each in zip(self.names, self.measured, strict=True)
        ]
        return {"kata": self.kata, "seed": self.seed, "implementations": implementations}
