"""One student's page, twice: as it is handed out, and with everything for the instructor.

The handout says what `feedback` allows, of hidden tests only whether they passed, and nothing of flags, of the
confinement, or of anybody else. The instructor's page says all that is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from dojo.grader.book.document import document, identifier, sign
from dojo.grader.book.shown import Shown, students, told
from dojo.grader.book.text import line, number, plain, title
from dojo.grader.model import KataGrade, Report, StudentGrade, TestGrade

_THE_SAME = "the same as above"


def handout(report: Report, student: StudentGrade) -> str:
    """The page for the student."""
    sections = [
        _section(kata, told(kata, report.feedback), "", _shown(students(report, kata))) for kata in student.katas
    ]
    return _page(report, student, [f"{_notes(student)}"], sections)


def instructors(report: Report, student: StudentGrade) -> str:
    """The page for the instructor."""
    identity = [f"handed in: {line(student.origin, 1000)}"] if student.origin else []
    if student.roster_id:
        identity.append(f"roster id: {line(student.roster_id)}")
    about = [
        '<p class="dim screen"><a href="../index.html">All students</a> · For the instructor: '
        "has hidden tests and every message.</p>\n",
        f'<p class="dim">{escape(" · ".join(identity))}</p>\n' if identity else "",
        _list("Flags: for a person to look at, and no points are lost by them", student.flags, "⚑ "),
        _notes(student),
    ]
    sections = [
        _section(
            kata,
            plain(kata.verdict.message),
            f"{kata.verdict.cpu_seconds:.1f} s of CPU in {kata.verdict.wall_seconds:.1f} s",
            _everything(kata.tests),
        )
        for kata in student.katas
    ]
    return _page(report, student, about, sections)


def _page(report: Report, student: StudentGrade, about: Iterable[str], sections: Iterable[str]) -> str:
    name = title(student.name)
    incomplete = [line(kata.verdict.kata) for kata in student.katas if kata.verdict.status == "ungraded"]
    without = f", without {', '.join(incomplete)}, which could not be graded" if incomplete else ""
    body = (
        f"<h1><bdi>{escape(name)}</bdi></h1>\n"
        f"<p>{escape(line(report.title))}: <strong>{number(student.points)} of {number(student.max)} points</strong>"
        f"{escape(without)}</p>\n{''.join(about)}{''.join(sections)}"
    )
    return document(f"{name}: {line(report.title)}", body)


def _section(kata: KataGrade, message: str, cost: str, tests: Iterable[str]) -> str:
    status = kata.verdict.status
    points = "no points yet" if status == "ungraded" else f"{number(kata.points)} of {number(kata.max)}"
    passed = sum(grade.test.status == "passed" for grade in kata.tests)
    count = f"{passed} of {len(kata.tests)} tests passed" if kata.tests and status != "ungraded" else ""
    small = " · ".join(part for part in (count, cost) if part)
    return (
        f"<section>\n<h2>{identifier(line(kata.verdict.kata))} {sign(status)} {points}</h2>\n"
        + (f'<p class="dim">{escape(small)}</p>\n' if small else "")
        + (f"<pre>{escape(message)}</pre>\n" if message else "")
        + "".join(tests)
        + "</section>\n"
    )


def _shown(tests: Iterable[Shown]) -> Iterator[str]:
    above = ""
    for test in tests:
        yield _test(sign(test.status), test.name, test.points, test.max, _after(above, test.message))
        above = test.message


def _after(above: str, message: str) -> str:
    """What a file cannot even be imported for stands below each of its tests, and is read once."""
    return _THE_SAME if message and message == above else message


def _everything(tests: Iterable[TestGrade]) -> Iterator[str]:
    above = ""
    for grade in tests:
        yield _in_full(grade, above)
        above = grade.test.message


def _in_full(grade: TestGrade, above: str) -> str:
    test = grade.test
    rule = f"Rule {test.rule}: " if test.rule is not None else ""
    remarks = [rule + line(test.text, 500), f"trap: {line(test.trap)}" if test.trap else ""]
    return _test(
        sign(test.status) + (" hidden" if test.hidden else ""),
        line(test.name),
        grade.points,
        grade.max,
        _after(plain(above), plain(test.message)),
        " · ".join(filter(None, remarks)),
    )


def _test(state: str, name: str, points: float, most: float, message: str, remark: str = "") -> str:
    return (
        f'<div class="test"><p>{state} {identifier(name)} <span class="dim">{number(points)} of {number(most)}'
        f"{' · ' + escape(remark) if remark else ''}</span></p>"
        + (f"<pre>{escape(message)}</pre>" if message else "")
        + "</div>\n"
    )


def _notes(student: StudentGrade) -> str:
    return _list("Notes on what was handed in", student.notes)


def _list(heading: str, texts: Iterable[str], before: str = "") -> str:
    items = "".join(f"<li>{before}{escape(plain(text))}</li>" for text in texts)
    return f'<div class="box"><p>{escape(heading)}</p><ul>{items}</ul></div>\n' if items else ""
