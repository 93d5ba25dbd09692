"""The whole book for programs: everything the instructor may know, in text that is safe to print."""

from __future__ import annotations

import json
from typing import Any

from dojo.grader.book.text import line, plain, title
from dojo.grader.model import KataGrade, Report, StudentGrade, TestGrade


def report_json(report: Report) -> str:
    """The document. ASCII, so that not even a careless reader is sent what a student wrote."""
    return json.dumps(document(report), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def document(report: Report) -> dict[str, Any]:
    """JSON-ready. Points of an ungraded kata are null, never 0."""
    return {
        "title": line(report.title),
        "tier": line(report.tier),
        "not_enforced": [line(text, 1000) for text in report.not_enforced],
        "students": [_student(student) for student in report.students],
    }


def _student(student: StudentGrade) -> dict[str, Any]:
    return {
        "name": title(student.name),
        "roster_id": line(student.roster_id),
        "origin": line(student.origin, 1000),
        "points": student.points,
        "max": student.max,
        "flags": [plain(flag) for flag in student.flags],
        "notes": [plain(note) for note in student.notes],
        "katas": [_kata(kata) for kata in student.katas],
    }


def _kata(kata: KataGrade) -> dict[str, Any]:
    ungraded = kata.verdict.status == "ungraded"
    return {
        "kata": line(kata.verdict.kata),
        "status": kata.verdict.status,
        "points": None if ungraded else kata.points,
        "max": kata.max,
        "message": plain(kata.verdict.message),
        "tests": [_test(grade, ungraded) for grade in kata.tests],
    }


def _test(grade: TestGrade, ungraded: bool) -> dict[str, Any]:
    return {
        "name": line(grade.test.name),
        "status": grade.test.status,
        "points": None if ungraded else grade.points,
        "max": grade.max,
        "message": plain(grade.test.message),
        "hidden": grade.test.hidden,
    }
