"""The gradebook: one `Report` in every format that somebody needs it in.

In the book's directory are `index.html` and `instructor/`, `report.json`, `grades.csv` and `junit.xml`, which are the
instructor's; `students/`, one page each, to hand out; and `gradescope/`, one `results.json` each. Every name and
message in a report is untrusted, and goes through `text` before it goes anywhere.

A report's totals are without the katas that are `ungraded`: `StudentGrade.points` and `max` leave them out. The book
marks such a total as incomplete.
"""

from __future__ import annotations

import json
from pathlib import Path

from dojo.grader.book.classroom import classroom, encoded
from dojo.grader.book.grades_csv import ENCODING, grades_csv
from dojo.grader.book.gradescope import gradescope
from dojo.grader.book.index_page import index_page
from dojo.grader.book.junit import junit
from dojo.grader.book.report_json import report_json
from dojo.grader.book.shelf import Shelf
from dojo.grader.book.slugs import slugs
from dojo.grader.book.student_page import handout, instructors
from dojo.grader.model import Report

__all__ = ["classroom", "encoded", "gradescope", "slugs", "write_book"]


def write_book(report: Report, directory: Path) -> None:
    """Write all files of the book, each of them replaced as a whole, and remove pages of students who are gone.

    Ended at any point, it leaves of each file the old or the new one. Raises GraderError if one cannot be written.
    """
    shelf = Shelf(directory)
    shelf.put("report.json", report_json(report))
    shelf.put("grades.csv", grades_csv(report), ENCODING)
    shelf.put("junit.xml", junit(report))
    names = slugs(student.name for student in report.students)
    for student, slug in zip(report.students, names, strict=True):
        shelf.put(f"students/{slug}.html", handout(report, student))
        shelf.put(f"instructor/{slug}.html", instructors(report, student))
        shelf.put(f"gradescope/{slug}.json", json.dumps(gradescope(report, student), indent=1) + "\n")
    # Last, as it leads to the others.
    shelf.put("index.html", index_page(report, names))
    shelf.close()
