"""`deviations.toml`, read."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Deviation:
    """One way in which the fake differs from a server."""

    what: str
    guard: str
    """Why no kata's verdict depends on it."""
    steps: tuple[tuple[str, str], ...]
    """The script and the step of each reply that differs by it."""


def known_deviations() -> list[Deviation]:
    table = tomllib.loads(Path(__file__).with_name("deviations.toml").read_text(encoding="utf-8"))
    return [
        Deviation(
            each["what"],
            each["guard"],
            tuple((script, step) for script, steps in each["where"].items() for step in steps),
        )
        for each in table["deviation"]
    ]
