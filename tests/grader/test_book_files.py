"""The book's directory: whole files, no leftovers, nothing of anybody else's."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dojo.grader.book import slugs, write_book
from dojo.grader.model import GraderError

from .the_class import HOSTILE, a_report, a_student, a_test, graded

PROJECT = Path(__file__).parents[2]


def names(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


def test_the_book_has_every_format(tmp_path: Path) -> None:
    report = a_report(*(a_student(name, graded("lru_cache", a_test(message=name))) for name in HOSTILE))
    write_book(report, tmp_path / "book")
    pages = {
        f"{place}/{slug}.{kind}"
        for slug in slugs(HOSTILE)
        for place, kind in (("students", "html"), ("instructor", "html"), ("gradescope", "json"))
    }
    assert len(pages) == 3 * len(HOSTILE)
    assert names(tmp_path) == {
        f"book/{name}" for name in pages | {"index.html", "report.json", "grades.csv", "junit.xml", ".book"}
    }


def test_pages_of_students_who_are_gone_are_removed_and_nothing_else(tmp_path: Path) -> None:
    ada, bert = (a_student(name, graded("lru_cache", a_test())) for name in ("Ada", "Bert"))
    write_book(a_report(ada, bert), tmp_path)
    (tmp_path / "students" / "notes.html").write_text("the instructor's")
    outside = tmp_path.parent / "outside.html"
    outside.write_text("not ours")
    with (tmp_path / ".book").open("a") as listed:
        listed.write(f"../outside.html\n{outside}\nstudents/../../outside.html\n")
    write_book(a_report(ada), tmp_path)
    assert {name for name in names(tmp_path) if name.startswith("students/")} == {
        f"students/{slugs(['Ada'])[0]}.html",
        "students/notes.html",
    }
    assert not any("bert" in name for name in names(tmp_path))
    assert outside.read_text() == "not ours"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "students").write_text("a file where a directory must be")
    with pytest.raises(GraderError, match="students"):
        write_book(a_report(a_student("Ada", graded("lru_cache", a_test()))), tmp_path)


WRITER = """
import sys
from pathlib import Path
from dojo.grader.book import write_book
from dojo.grader.model import KataGrade, Report, StudentGrade, TestGrade, TestVerdict, Verdict
turn = 0
print("ready", flush=True)
while True:
    turn += 1
    test = TestVerdict("test_it", 1, "It.", "failed", f"{turn} " * 2000)
    kata = KataGrade(Verdict("add", "failed", tests=(test,)), turn, turn, (TestGrade(test, turn, turn),))
    students = [StudentGrade(f"Student {n + turn}", "", "", turn, turn, (), (), (kata,)) for n in range(8)]
    write_book(Report("T", "none", (), ("add",), tuple(students)), Path(sys.argv[1]))
"""


def test_every_file_is_whole_after_kill_9(tmp_path: Path) -> None:
    luck = random.Random(5)
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(luck.uniform(0.03, 0.12))
            process.send_signal(signal.SIGKILL)
        for name in names(tmp_path):
            text = (tmp_path / name).read_text("utf-8-sig")
            if os.path.basename(name).startswith("."):
                continue  # a draft, or the list
            if name.endswith(".html"):
                assert text.endswith("</html>\n")
            elif name.endswith(".json"):
                json.loads(text)
            elif name.endswith(".xml"):
                ET.fromstring(text)
            elif name.endswith(".csv"):
                assert len(list(csv.reader(text.splitlines()))) == 9
    write_book(a_report(a_student("Ada", graded("lru_cache", a_test()))), tmp_path)
    # Nothing of the books that were interrupted is left, not even a draft.
    assert len(names(tmp_path)) == 8
