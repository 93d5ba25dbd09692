"""What the class as a whole understood: for each kata, how many passed, and which tests caught most."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from dojo.grader.model import Report, TestVerdict


@dataclass(frozen=True, slots=True)
class Caught:
    """A test that somebody did not pass."""

    test: TestVerdict
    """One student's, for its name and its rule; the others' differ in status and message."""
    count: int
    of: int
    """How many students it was run for, or should have been."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One kata. Students for whom it is ungraded are in none of the numbers but `ungraded`."""

    kata: str
    students: int
    passed: int
    missing: int
    ungraded: int
    mean: float
    """Points; a missing one counts as what it was given, which is 0. 0.0 if there are no students."""
    max: float
    caught: tuple[Caught, ...]
    """The tests that most did not pass, the worst first; those before them in teaching order win a tie. Of a test that
    is run with several parameters only the worst."""


def summaries(report: Report, worst: int = 3) -> tuple[Summary, ...]:
    """In the report's order of katas, with at most `worst` tests each."""
    return tuple(_summary(report, place, kata, worst) for place, kata in enumerate(report.katas))


def _summary(report: Report, place: int, kata: str, worst: int) -> Summary:
    everybody = [student.katas[place] for student in report.students]
    graded = [each for each in everybody if each.verdict.status != "ungraded"]
    tests: dict[str, TestVerdict] = {}
    ran: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for each in graded:
        for grade in each.tests:
            tests.setdefault(grade.test.name, grade.test)
            ran[grade.test.name] += 1
            caught[grade.test.name] += grade.test.status != "passed"
    worst_of: dict[str, str] = {}
    for name in sorted((name for name in tests if caught[name]), key=lambda name: -caught[name]):
        worst_of.setdefault(name.partition("[")[0], name)
    order = list(worst_of.values())
    statuses = Counter(each.verdict.status for each in everybody)
    return Summary(
        kata=kata,
        students=len(graded),
        passed=statuses["passed"],
        missing=statuses["missing"],
        ungraded=statuses["ungraded"],
        mean=sum(each.points for each in graded) / len(graded) if graded else 0.0,
        max=max((each.max for each in everybody), default=0.0),
        caught=tuple(Caught(tests[name], caught[name], ran[name]) for name in order[:worst]),
    )
