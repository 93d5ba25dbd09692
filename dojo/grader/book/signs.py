"""How a status is shown where there is little room: never by colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from dojo.grader.model import KataStatus


@dataclass(frozen=True, slots=True)
class Sign:
    """A status, in one character."""

    symbol: str
    ascii: str
    """Where the output's encoding has no such symbol."""
    meaning: str
    colour: str
    """Of the terminal's sixteen."""


SIGNS: dict[KataStatus, Sign] = {
    "passed": Sign("✓", "+", "passed", "green"),
    "failed": Sign("✗", "x", "failed", "red"),
    "error": Sign("!", "!", "error: no test reached a verdict", "red"),
    "timed-out": Sign("∞", "~", "timed out", "red"),
    "missing": Sign("·", ".", "nothing handed in", "yellow"),
    "refused": Sign("#", "#", "refused: not a file that can be graded", "yellow"),
    "ungraded": Sign("?", "?", "ungraded: the grader could not do it; counts for nothing", "magenta"),
}
