"""One student's result for GitHub Classroom's reporter, `autograding-grading-reporter`.

The reporter shows two scores of one payload. Its log has (rows that passed) / (rows) x max_score, and the check run,
from which Classroom takes the grade, has the sum of the rows' scores. They agree only if all rows are worth the same.
So a test that is worth more than another becomes several rows, one a share: tests of 2 and 3 points become 2 and 3
rows of a point, and half of the points for a test is half of its rows. The share is the largest that divides all
points of the student's katas.

Where that would make more than `ROWS` rows (weights such as 1 and 0.997), the shares are rounded to about a `ROWS`th
of the whole, and each test has at least one row: then both scores still agree with each other, and with the book to
within a percent or so. Ungraded katas have no rows and no points; the payload's status is "error", so the step is red.
"""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from dojo.grader.book.shown import students, told
from dojo.grader.book.text import line, plain
from dojo.grader.model import KataGrade, Report, StudentGrade

ROWS = 200
"""At most that many rows, or as many as there are tests if those are more."""

_BYTES = 120_000
"""Of the encoded payload: Linux hands a process no environment variable of 128 KiB or more."""

_COMMAND = re.compile(r"^(\s*)::|##\[", re.MULTILINE)
"""What GitHub's runner takes for a command to itself, wherever in a log it stands."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one test is worth, and what its student may know of it."""

    name: str
    message: str
    points: Fraction
    max: Fraction

    def share(self, unit: Fraction) -> tuple[int, int]:
        """How many rows it has, and how many of them pass; never more than the points bear out."""
        rows = max(1, round(self.max / unit))
        return rows, math.floor(self.points / self.max * rows)


def classroom(report: Report, student: StudentGrade) -> dict[str, Any]:
    """The payload, JSON-ready, short enough for `encoded` to be an environment variable."""
    pieces = [piece for kata in student.katas if kata.verdict.status != "ungraded" for piece in _pieces(report, kata)]
    ungraded = any(kata.verdict.status == "ungraded" for kata in student.katas)
    payload: dict[str, Any] = {}
    for limit in (2_000, 500, 100, 0):
        payload = _payload([replace(piece, message=plain(piece.message, limit)) for piece in pieces], ungraded)
        if len(encoded(payload)) <= _BYTES:
            break
    return payload


def encoded(payload: dict[str, Any]) -> str:
    """What belongs into `<STEP-ID>_RESULTS`."""
    return base64.b64encode(json.dumps(payload, ensure_ascii=False).encode()).decode("ascii")


def _pieces(report: Report, kata: KataGrade) -> list[_Piece]:
    """What carries points; a test that is worth nothing has no row, as a row cannot be worth less than another."""
    name = line(kata.verdict.kata)
    if not kata.tests:
        state = "nothing handed in" if kata.verdict.status == "missing" else kata.verdict.status
        rows = [(f"{name}: {state}", told(kata, report.feedback), kata.points, kata.max)]
    else:
        rows = [(f"{name}: {view.name}", view.message, view.points, view.max) for view in students(report, kata)]
    return [
        _Piece(_harmless(line(label)), _harmless(text), _exact(points), _exact(most))
        for label, text, points, most in rows
        if _exact(most) > 0
    ]


def _payload(pieces: list[_Piece], ungraded: bool) -> dict[str, Any]:
    if not pieces:
        # Without a row the reporter would divide by nought.
        name = "nothing could be graded" if ungraded else "nothing here is worth points"
        row = _row(name, False, "The grader itself could not do it. That is not your fault." if ungraded else name)
        return {"version": 1, "status": "error", "max_score": 0, "tests": [row]}
    unit = _unit(pieces)
    tests = []
    for piece in pieces:
        rows, passing = piece.share(unit)
        for nth in range(rows):
            label = piece.name if rows == 1 else f"{piece.name} ({nth + 1} of {rows})"
            tests.append(_row(label, nth < passing, piece.message if nth == passing else "as above"))
    passed = sum(test["status"] == "pass" for test in tests)
    most = float(sum(piece.max for piece in pieces))
    _pay(tests, most)
    status = "error" if ungraded else "pass" if passed == len(tests) else "fail"
    return {"version": 1, "status": status, "max_score": _short(most), "tests": tests}


def _row(name: str, passed: bool, message: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "status": "pass" if passed else "fail", "score": 0, "message": ""}
    if not passed:
        # The present reporter prints the message of an "error", but not its name, and of a "fail" the name and
        # `test_code`, but no message; older ones print the message of both.
        row |= {"message": message, "test_code": message}
    return {**row, "line_no": 0, "filename": "", "execution_time": "0s"}


def _pay(tests: list[dict[str, Any]], most: float) -> None:
    """Give each row that passed its share, such that the sum is what the log says, to the cent and at any length."""
    paid, passed = 0.0, 0
    for test in tests:
        if test["status"] == "pass":
            passed += 1
            test["score"] = _short(round(passed / len(tests) * most, 2) - paid)
            paid += test["score"]


def _unit(pieces: list[_Piece]) -> Fraction:
    """The largest number of points that divides them all, or a `ROWS`th of the sum if that is more."""
    values = [value for piece in pieces for value in (piece.max, piece.points) if value > 0]
    denominator = math.lcm(*(value.denominator for value in values))
    exact = Fraction(math.gcd(*(value.numerator * (denominator // value.denominator) for value in values)), denominator)
    return max(exact, sum((piece.max for piece in pieces), Fraction()) / ROWS)


def _exact(value: float) -> Fraction:
    """Points as they were written in a configuration: 1/3 and 0.1, not their nearest binary fractions."""
    return max(Fraction(), Fraction(value).limit_denominator(1000))


def _short(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _harmless(text: str) -> str:
    """Text that the runner takes for no command: `::set-env` and `##[group]` in a student's message, for instance."""
    return _COMMAND.sub(lambda found: "## [" if found[0] == "##[" else f"{found[1]}: :", text)
