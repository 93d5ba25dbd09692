"""The book as a spreadsheet or a learning platform reads it: a row a student, a column a kata."""

from __future__ import annotations

import csv
import io
import re

from dojo.grader.book.text import line, number, title
from dojo.grader.model import Report, StudentGrade

ENCODING = "utf-8-sig"
"""With a byte order mark: without one Excel takes the file for the machine's old code page and spoils every name
that is not ASCII. Canvas, Moodle, LibreOffice, pandas and `csv` with this encoding read past it."""

_FORMULA = re.compile(
    r"""(^|[;,|\t\r\n])            # a cell's beginning, also for a program that takes another separator than ours
        (?=[\s'"`\u200c\u200d]*    # what is trimmed or taken for a quote before the program looks
           [-=+@\t\r\uff1d\uff0b\uff0d\uff20])  # and what begins a formula, also in its wide form
    """,
    re.VERBOSE,
)


def grades_csv(report: Report) -> str:
    """The table. `ungraded` stands for what the grader could not do: such a kata is in neither total nor max, and the
    column `incomplete` says so.
    """
    out = io.StringIO(newline="")
    # RFC 4180's line ends, which is csv's default.
    rows = csv.writer(out)
    katas = [cell(kata) for kata in report.katas]
    rows.writerow(["name", "roster id", *katas, "total", "max", "incomplete", "flags"])
    rows.writerows(_row(student) for student in report.students)
    return out.getvalue()


def cell(text: str) -> str:
    """Untrusted text as one cell: one line, and with an apostrophe before all that could begin a formula.

    A roster id that begins so is escaped as well; `report.json` has it as it was.
    """
    return _FORMULA.sub(r"\1'", line(text, 1000))


def _row(student: StudentGrade) -> list[str]:
    katas = [
        "ungraded" if kata.verdict.status == "ungraded" else number(kata.points)  # numbers stay numbers, also below 0
        for kata in student.katas
    ]
    incomplete = katas.count("ungraded")
    return [
        cell(title(student.name)),
        cell(student.roster_id),
        *katas,
        number(student.points),
        number(student.max),
        f"{incomplete} ungraded" if incomplete else "",
        cell(" | ".join(line(flag) for flag in student.flags)),
    ]
