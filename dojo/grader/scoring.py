"""Points from verdicts. Pure: no file, no clock, no process, so a book can be written again with other weights.

- A kata is worth the same for every student. What it is worth comes from the inventory, which the supervisor
  collected; no verdict can add a test, rename one or make one go away.
- Only the status "passed" earns points, and a test earns all of its points or none.
- missing, refused, error and timed-out as a kata's status: 0 of what the kata is worth.
- ungraded: neither its points nor what it is worth count in the student's total. `counts` says so; a book shows
  such a kata as ungraded and never as 0.

Points are whole hundredths. A kata's points are dealt to its tests by largest remainder, so what is shown of the
tests adds up to what is shown of the kata, and that to the total, to the last digit. Two tests of the same weight may
differ by a hundredth; if so, the earlier one has more, and for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from dojo.grader.config import Config
from dojo.grader.model import (
    Expected,
    Inventory,
    KataGrade,
    Report,
    StudentGrade,
    TestGrade,
    TestStatus,
    TestVerdict,
    Verdict,
)

_UNIT = 100
"""Of what a point has hundred: the smallest that is dealt, kept as an integer until it is shown."""
_NOTHING_RAN = ("missing", "refused", "error", "timed-out")


class Student(Protocol):
    """Who handed in: what a `Submission` says of itself."""

    @property
    def name(self) -> str: ...
    @property
    def roster_id(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


def grade(
    student: Student,
    verdicts: Mapping[str, Verdict],
    katas: Sequence[str],
    inventory: Inventory,
    config: Config,
    flags: Sequence[str] = (),
) -> StudentGrade:
    """One student's row. `verdicts` by a kata's name: a kata without one is ungraded. `flags` are the submission's own.

    `katas` are the names of what is graded, in teaching order, each with its tests in `inventory`. Total over any
    verdict, however it contradicts the inventory or itself; what it does not prove earns nothing.
    """
    grades = tuple(
        _grade_kata(verdicts.get(kata, Verdict(kata, "ungraded", "not graded yet")), inventory[kata], config, kata)
        for kata in katas
    )
    counted = [one for one in grades if counts(one)]
    return StudentGrade(
        name=student.name,
        roster_id=student.roster_id,
        origin=student.origin,
        points=_sum(one.points for one in counted),
        max=_sum(one.max for one in counted),
        flags=(*(f"{one.verdict.kata}: {flag}" for one in grades for flag in one.verdict.flags), *flags),
        notes=tuple(student.notes),
        katas=grades,
    )


def report(
    students: Iterable[StudentGrade],
    katas: Sequence[str],
    config: Config,
    *,
    tier: str,
    not_enforced: Sequence[str] = (),
) -> Report:
    """The book, its students in the order given. `tier` and `not_enforced`: see `Report`."""
    return Report(
        title=config.title,
        tier=tier,
        not_enforced=tuple(not_enforced),
        katas=tuple(katas),
        students=tuple(students),
        feedback=config.feedback,
    )


def counts(kata: KataGrade) -> bool:
    """Whether the kata is part of the student's total: all but what the grader itself could not do."""
    return kata.verdict.status != "ungraded"


def worth(kata: str, tests: Sequence[Expected], config: Config) -> tuple[float, ...]:
    """What each test is worth, in points; their sum is what the kata is worth."""
    return tuple(_points(units) for units in _deal(kata, tests, config))


def _deal(kata: str, tests: Sequence[Expected], config: Config) -> list[int]:
    """Hundredths a test, by largest remainder; all 0 if no test has a weight."""
    weights = [Fraction(config.weight(kata, test)) for test in tests]
    total = config.total(kata)
    if total is None:
        return [round(weight * _UNIT) for weight in weights]
    if not (whole := sum(weights)):
        return [0] * len(tests)  # `Config.check` refuses this unless the kata is worth 0
    units = round(Fraction(total) * _UNIT)
    shares = [units * weight / whole for weight in weights]
    dealt = [int(share) for share in shares]
    first = sorted(range(len(shares)), key=lambda index: dealt[index] - shares[index])  # stable: the earlier first
    for index in first[: units - sum(dealt)]:
        dealt[index] += 1
    return dealt


def _grade_kata(verdict: Verdict, tests: Sequence[Expected], config: Config, kata: str) -> KataGrade:
    dealt = _deal(kata, tests, config)
    if verdict.status == "ungraded":
        return KataGrade(verdict, 0.0, _points(sum(dealt)), ())
    shown = [_said(verdict, test) for test in tests]
    earned = [units if one.status == "passed" else 0 for one, units in zip(shown, dealt, strict=True)]
    return KataGrade(
        verdict=verdict,
        points=_points(sum(earned)),
        max=_points(sum(dealt)),
        tests=tuple(
            TestGrade(one, _points(points), _points(units))
            for one, points, units in zip(shown, earned, dealt, strict=True)
        ),
    )


def _said(verdict: Verdict, test: Expected) -> TestVerdict:
    """What the verdict says of a test of the inventory. Silence, a contradiction or a status of the whole kata that
    leaves no room for a pass is an error."""
    said = [one for one in verdict.tests if (one.name, one.hidden) == (test.name, test.hidden)]
    worst = next((one for one in said if one.status != "passed"), said[0] if said else None)
    if worst is None:
        message, status, trap = verdict.message, _SILENT.get(verdict.status, "error"), None
    else:
        message, status, trap = worst.message, worst.status, worst.trap
        if status == "passed" and verdict.status in _NOTHING_RAN:
            message, status = verdict.message, "error"
    return TestVerdict(test.name, test.rule, test.text, status, message, trap, test.hidden)


_SILENT: Mapping[str, TestStatus] = {"timed-out": "timed-out"}
"""What a test is that a verdict says nothing of, by the kata's status, where that is not an error."""


def _points(units: int) -> float:
    return round(units / _UNIT, 2)


def _sum(points: Iterable[float]) -> float:
    """Of what is shown, as one would add it up by hand."""
    return _points(sum(round(one * _UNIT) for one in points))
