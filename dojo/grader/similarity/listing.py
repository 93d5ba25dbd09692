"""What the comparison of a class found: frozen values that survive JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from dojo.grader.similarity.tiles import Tile

REFERENCE = "the reference solution"

Same = Literal["text", "code", ""]
"""text: byte for byte, line ends apart. code: but for names, numbers, comments and layout."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that are worth a look. Nothing more is claimed of them."""

    left: tuple[str, ...]
    """Those who handed in this text, in the order of the class."""
    right: tuple[str, ...]
    """As `left`. If all of them handed in the same code, the first stands on the left and the others here. Empty for
    the reference solution."""
    similarity: float
    """0 to 1."""
    same: Same
    passages: tuple[Tile, ...]
    sources: tuple[str, str]
    """The text of the first student of each side."""

    def to_json(self) -> dict[str, Any]:
        """The texts are left out: they stand in the submissions."""
        return {
            "left": list(self.left),
            "right": list(self.right),
            "reference": not self.right,
            "similarity": round(self.similarity, 4),
            "same": self.same,
            "passages": [asdict(tile) for tile in self.passages],
        }


@dataclass(frozen=True, slots=True)
class KataPairs:
    """One kata."""

    kata: str
    students: int
    """Whose texts were compared."""
    untouched: int
    """Who handed in nothing of their own: the stub."""
    bar: float
    """From which similarity on a pair of students is listed."""
    median: float
    """Of the pairs that were compared in full: the class as it is."""
    pairs: tuple[Pair, ...]
    """The most alike first."""
    more: int
    """Further pairs above the bar, for which there was no room."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was not compared."""

    student: str
    kata: str
    """Empty if it is all that they handed in."""
    why: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A whole class."""

    katas: tuple[KataPairs, ...]
    skipped: tuple[Skipped, ...]

    def to_json(self) -> dict[str, Any]:
        katas = [
            {
                "kata": each.kata,
                "students": each.students,
                "untouched": each.untouched,
                "bar": round(each.bar, 4),
                "median": round(each.median, 4),
                "pairs": [pair.to_json() for pair in each.pairs],
                "more": each.more,
            }
            for each in self.katas
        ]
        return {"version": 1, "katas": katas, "skipped": [asdict(each) for each in self.skipped]}
