"""What a student is shown of a verdict: by the report's `feedback`, and never what a hidden test is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dojo.grader.book.text import line, plain
from dojo.grader.model import KataGrade, Report, TestGrade, TestStatus

HIDDEN = "hidden test"

Feedback = Literal["full", "rule", "none"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One test, in text that is safe to show."""

    name: str
    status: TestStatus
    message: str
    points: float
    max: float
    hidden: bool


def shown(grade: TestGrade, feedback: Feedback) -> Shown:
    """One test as its student may see it."""
    test = grade.test
    if test.hidden:
        # How it failed would be a hint at what it does.
        status: TestStatus = "passed" if test.status == "passed" else "failed"
        return Shown(HIDDEN, status, "", grade.points, grade.max, True)
    if test.status == "passed" or feedback == "none":
        message = ""
    elif feedback == "rule":
        message = plain(test.text)
    else:
        message = plain(test.message) or plain(test.text)
    return Shown(line(test.name), test.status, message, grade.points, grade.max, False)


def told(kata: KataGrade, feedback: Feedback) -> str:
    """The kata's own message as its student may see it; empty if there is none for them."""
    verdict = kata.verdict
    if verdict.status in ("missing", "refused", "ungraded"):  # says nothing of a test, and is needed to do better
        return plain(verdict.message)
    if feedback != "full" or any(_gives_away(grade, verdict.message) for grade in kata.tests):
        return ""
    return plain(verdict.message)


def students(report: Report, kata: KataGrade) -> tuple[Shown, ...]:
    """All tests of a kata as the student may see them: none if it is ungraded, as nothing was found out."""
    if kata.verdict.status == "ungraded":
        return ()
    return tuple(shown(grade, report.feedback) for grade in kata.tests)


def _gives_away(grade: TestGrade, message: str) -> bool:
    """Whether a message that was made of all tests repeats something of a hidden one."""
    test = grade.test
    parts = [test.name, test.text, *(part for part in map(str.strip, test.message.splitlines()) if len(part) > 5)]
    return test.hidden and any(part and part in message for part in parts)
