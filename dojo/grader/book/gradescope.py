"""One student's `results.json` for Gradescope.

Gradescope shows a test's output to the student unless the test is hidden, so visible tests say what `feedback` lets a
student see, and hidden ones say all: only staff are shown them.
"""

from __future__ import annotations

from typing import Any

from dojo.grader.book.shown import shown, told
from dojo.grader.book.text import line, plain
from dojo.grader.model import KataGrade, Report, StudentGrade, TestGrade


def gradescope(report: Report, student: StudentGrade) -> dict[str, Any]:
    """JSON-ready. An ungraded kata is a row without points, and if nothing at all could be graded there is no score:
    Gradescope then says that the autograder failed, and keeps asking for a grade, instead of recording 0.
    """
    ungraded = [line(kata.verdict.kata) for kata in student.katas if kata.verdict.status == "ungraded"]
    result: dict[str, Any] = {
        "output": _output(report, student, ungraded),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {"grader": "dojo grade", "ungraded": ungraded},
        "tests": [
            test for place, kata in enumerate(student.katas, start=1) for test in _tests(report, kata, str(place))
        ],
    }
    if len(ungraded) < len(student.katas):
        result["score"] = round(student.points, 4)
    return result


def _output(report: Report, student: StudentGrade, ungraded: list[str]) -> str:
    lines = [line(report.title)]
    if ungraded:
        lines.append(
            f"The grader itself could not grade {', '.join(ungraded)}. That is not your fault and costs no points; "
            "the score is without it until it is graded."
        )
    lines += [plain(note) for note in student.notes]
    for kata in student.katas:
        message = told(kata, report.feedback)
        if message:
            lines.append(f"{line(kata.verdict.kata)}: {message}")
    return "\n".join(lines)


def _tests(report: Report, kata: KataGrade, number_of_kata: str) -> list[dict[str, Any]]:
    name, status = line(kata.verdict.kata), kata.verdict.status
    if status == "ungraded" or not kata.tests:
        row: dict[str, Any] = {
            "name": f"{name}: {'nothing handed in' if status == 'missing' else status}",
            "number": number_of_kata,
            "output": told(kata, report.feedback),
            "output_format": "text",
            "tags": [name],
            "visibility": "visible",
        }
        if status != "ungraded":
            row |= {"score": round(kata.points, 4), "max_score": round(kata.max, 4), "status": _status(status)}
        return [row]
    return [_test(report, grade, name, f"{number_of_kata}.{place}") for place, grade in enumerate(kata.tests, start=1)]


def _test(report: Report, grade: TestGrade, kata: str, place: str) -> dict[str, Any]:
    test = grade.test
    if test.hidden:
        name, output = line(test.name), plain(test.message)
    else:
        view = shown(grade, report.feedback)
        name, output = view.name, view.message
    if test.status in ("error", "timed-out"):  # Gradescope knows passed and failed only
        output = f"{test.status.replace('-', ' ')}\n{output}".rstrip()
    return {
        "name": f"{kata}: {name}",
        "number": place,
        "score": round(grade.points, 4),
        "max_score": round(grade.max, 4),
        "status": _status(test.status),
        "output": output,
        "output_format": "text",
        "tags": [kata],
        "visibility": "hidden" if test.hidden else "visible",
    }


def _status(status: str) -> str:
    return "passed" if status == "passed" else "failed"
