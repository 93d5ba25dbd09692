"""The whole class as JUnit XML, for whatever shows test results: a suite a student and kata.

It keeps both to the schema of Jenkins and to the stricter one of Ant, which wants a host, a time and the outputs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from dojo.grader.book.text import line, plain, title
from dojo.grader.model import KataGrade, Report, StudentGrade

_MARKS = {"failed": "failure", "error": "error", "timed-out": "error", "missing": "failure", "refused": "error"}
"""Ungraded becomes `skipped`: the student's code was not judged, so it neither failed nor erred, and a viewer's
failure count keeps its meaning. That the grader fell short is told by its exit code and in the book."""


def junit(report: Report, now: datetime | None = None) -> str:
    """The document; the suites are stamped with `now` (default: the present), as a report knows no other time."""
    stamp = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    root = ET.Element("testsuites", name=line(report.title) or "grades")
    for student in report.students:
        for kata in student.katas:
            root.append(_suite(student, kata, len(root), stamp))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(student: StudentGrade, kata: KataGrade, number: int, stamp: str) -> ET.Element:
    verdict = kata.verdict
    cases = _cases(student, kata)
    kinds = [case[0].tag if len(case) else "passed" for case in cases]
    suite = ET.Element(
        "testsuite",
        name=f"{title(student.name)} {line(verdict.kata)}",
        tests=str(len(cases)),
        failures=str(kinds.count("failure")),
        errors=str(kinds.count("error")),
        skipped=str(kinds.count("skipped")),
        time=f"{verdict.wall_seconds:.3f}",
        timestamp=stamp,
        hostname="localhost",
        id=str(number),
        package=line(verdict.kata),
    )
    properties = ET.SubElement(suite, "properties")
    for flag in verdict.flags:
        ET.SubElement(properties, "property", name="flag", value=plain(flag))
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = plain(verdict.message)
    ET.SubElement(suite, "system-err")
    return suite


def _cases(student: StudentGrade, kata: KataGrade) -> list[ET.Element]:
    """One a test; where there is no inventory, one that bears the kata's status."""
    verdict = kata.verdict
    # A time for each test is not known; the suite has the whole.
    common = {"classname": f"{line(verdict.kata)}.{title(student.name)}", "time": "0"}
    rows: list[tuple[str, str, str, str]] = [
        (line(grade.test.name) or "(no name)", grade.test.status, plain(grade.test.message), plain(grade.test.text))
        for grade in kata.tests
    ] or [(line(verdict.kata), verdict.status, plain(verdict.message), verdict.status)]
    cases = []
    for name, status, message, rule in rows:
        case = ET.Element("testcase", {"name": name, **common})
        if verdict.status == "ungraded":
            ET.SubElement(case, "skipped", message=f"ungraded: {line(verdict.message)}")
        elif status != "passed":
            mark = ET.SubElement(case, _MARKS[status], type=status, message=line(rule) or status)
            mark.text = message
        cases.append(case)
    return cases
