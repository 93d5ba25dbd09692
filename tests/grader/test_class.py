"""`dojo grade` as an instructor types it: a class whose grades are known, graded, gone on with and graded again."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from dojo.catalog import load
from dojo.grader.journal import FILE

from ..cli.conftest import REPOSITORY
from .handed_in import write
from .synthetic import HOSTILE, LIMITS, Marks, make_class

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="cells are forked")

KATAS = ("dlq_router", "websocket_broadcaster")
"""The cheapest."""
STUDENTS = 8


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def start(place: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dojo.cli", "grade", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def dojo_grade(place: Path, *arguments: str) -> Said:
    process = start(place, *arguments)
    out, err = process.communicate(timeout=300)
    return Said(process.returncode, out, err)


@dataclass
class Course:
    """A class in a directory of its own, with the limits beside it."""

    place: Path
    marks: Marks
    first: Said

    @property
    def book(self) -> Path:
        return self.place / "class-book"

    def grade(self, *more: str) -> Said:
        return dojo_grade(self.place, "class", *(f"--katas={kata}" for kata in KATAS), *more)

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.book / "report.json").read_text(encoding="utf-8"))
        return found

    def rows(self) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.book / FILE) as connection:
            found = connection.execute("SELECT id, key, at, graded, data FROM results ORDER BY id").fetchall()
        connection.close()
        return found


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Graded once."""
    place = tmp_path_factory.mktemp("course")
    (place / "class").mkdir()
    (place / "grading.toml").write_text(LIMITS)
    catalog = load(REPOSITORY)
    marks = make_class(place / "class", STUDENTS, [catalog.find(kata) for kata in KATAS], seed=1)
    found = Course(place, marks, Said(0, "", ""))
    found.first = found.grade()
    return found


def files(marks: Marks) -> int:
    return sum(mark.status != "missing" for wanted in marks.values() for mark in wanted.values())


def test_everybody_gets_the_grade_that_was_known_before(course: Course) -> None:
    assert course.first.code == 0, course.first.err
    assert f"{STUDENTS} students; {files(course.marks)} files to grade" in course.first.err
    report = course.report()
    assert [student["name"] for student in report["students"]] == list(course.marks)
    for student in report["students"]:
        wanted = course.marks[student["name"]]
        assert [kata["kata"] for kata in student["katas"]] == list(wanted)
        got = {kata["kata"]: (kata["status"], kata["points"], kata["max"]) for kata in student["katas"]}
        assert got == {kata: (mark.status, mark.points, mark.max) for kata, mark in wanted.items()}, student["name"]
        assert student["points"] == sum(mark.points for mark in wanted.values())
        assert student["max"] == sum(mark.max for mark in wanted.values())
        for kata in student["katas"]:
            assert kata["points"] == sum(test["status"] == "passed" for test in kata["tests"])
    statuses = {mark.status for wanted in course.marks.values() for mark in wanted.values()}
    assert statuses >= {"passed", "failed", "error", "timed-out"}, "the class is too good to prove anything"


def test_a_conftest_that_lets_everything_pass_is_told_and_not_used(course: Course) -> None:
    student = course.report()["students"][0]
    assert any("conftest.py" in note for note in student["notes"])


def test_the_table_has_a_row_a_student_and_the_way_to_the_book(course: Course) -> None:
    for name in course.marks:
        assert re.search(rf"^{name} ", course.first.out, re.MULTILINE)
    assert f"book: {course.book / 'index.html'}" in course.first.out
    assert f"confinement: {course.report()['tier']}" in course.first.out


def test_a_second_run_grades_nothing_and_gives_the_same_book(course: Course) -> None:
    names = ("report.json", "grades.csv")  # the JUnit file says when it was written
    before, rows = {name: (course.book / name).read_bytes() for name in names}, course.rows()
    said = course.grade()
    assert said.code == 0, said.err
    assert f"0 files to grade, {files(course.marks)} more have their verdict already" in said.err
    assert {name: (course.book / name).read_bytes() for name in names} == before
    assert course.rows() == rows


def test_grading_again_shows_what_has_changed_and_keeps_what_it_replaces(course: Course) -> None:
    name, kata = next(
        (name, kata)
        for name, wanted in course.marks.items()
        for kata, mark in wanted.items()
        if mark.status == "passed"
    )
    report, rows = course.report(), course.rows()
    number, data = next(
        (number, json.loads(data))
        for number, _, _, _, data in rows
        if json.loads(data)["kata"] == kata
        and json.loads(data)["status"] == "passed"
        and name in told_by(course, number)
    )
    test = data["tests"][0]
    test["status"], data["status"] = "failed", "failed"
    with sqlite3.connect(course.book / FILE) as connection:  # as if a fault of the tests had failed it
        connection.execute("UPDATE results SET data = ? WHERE id = ?", (json.dumps(data), number))
    connection.close()
    said = course.grade("--regrade", f"{name}/{kata}")
    assert said.code == 0, said.err
    most = int(course.marks[name][kata].max)
    assert (
        f"{name}/{kata}: failed ({most - 1} passed) → passed ({most} passed): {test['name']} failed → passed"
        in said.out
    )
    assert "1 files to grade" in said.err
    assert course.report() == report
    assert len(course.rows()) == len(rows) + 1


def told_by(course: Course, number: int) -> list[str]:
    """Who handed in the file that a row of the results is about."""
    with sqlite3.connect(course.book / FILE) as connection:
        [(key,)] = connection.execute("SELECT key FROM results WHERE id = ?", (number,)).fetchall()
        entries = [json.loads(data) for (data,) in connection.execute("SELECT data FROM students")]
    connection.close()
    return [entry["name"] for entry in entries if key in entry["keys"].values()]


def test_a_latecomer_with_a_known_file_costs_no_run(course: Course) -> None:

    before = course.report()
    one = course.place / "class" / "student0001"  # loose files
    write(course.place / "class" / "zoe", {path.name: path.read_bytes() for path in one.iterdir()})

    rows = course.rows()
    said = course.grade("--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told == course.report()
    assert [student["name"] for student in told["students"]] == [*course.marks, "zoe"]
    assert told["students"][:-1] == before["students"]
    assert told["students"][-1]["points"] == before["students"][1]["points"]
    assert course.rows() == rows
    assert "files to grade" not in said.err


def test_status_says_how_far_the_book_is(course: Course) -> None:
    said = dojo_grade(course.place, "class", "--status")
    assert said.code == 0
    assert re.search(
        r"^\d+ students, (\d+) of \1 files graded, the last one \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", said.out, re.M
    )
    assert f"confinement: {course.report()['tier']}" in said.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "name the folder of submissions"),
        (("class", "--confinement", "loose"), 2, "there is namespaces, process and none"),
        (("class", "--track", "knitting"), 2, "there is resilience, "),
        (("class", "--katas", "knitting"), 2, "knitting"),
        (("class", "--workers", "0"), 2, "--workers"),
        (("class", "--faster"), 2, "--faster"),
        (("nowhere",), 3, "nowhere"),
        (("class", "--out", "elsewhere", "--status"), 3, "nothing was graded into this book yet"),
        (("class", "--config", "none.toml"), 3, "dojo grade --init"),
        (("class", "--one"), 3, "is not one student's work"),
    ],
)
def test_what_cannot_be_done_is_said_and_has_its_exit_code(
    course: Course, arguments: tuple[str, ...], code: int, words: str
) -> None:
    said = dojo_grade(course.place, *arguments)
    assert said.code == code, said
    assert words in " ".join(said.err.split())
    assert "Traceback" not in said.err
    assert said.out == ""


@pytest.mark.skipif(sys.platform != "linux", reason="finds the cells in /proc")
def test_who_could_not_be_graded_is_named_has_no_points_and_is_tried_again(tmp_path: Path) -> None:
    write(tmp_path / "class" / "ann", {f"{KATAS[1]}.py": HOSTILE["never ends"][0].encode()})
    (tmp_path / "grading.toml").write_text("[limits]\ncpu_seconds = 60\n")
    process = start(tmp_path, "class", f"--katas={KATAS[1]}", "--workers=1")
    assert process.stderr is not None
    while "1 files to grade" not in (line := process.stderr.readline()):
        assert line, process.communicate()
    killed: set[int] = set()
    for _ in range(2):  # it is given a second cell, and no third
        [cell] = wait_for(lambda: [pid for pid in cells(process.pid) if pid not in killed])
        killed.add(cell)
        wait_for(functools.partial(burning, cell))
        os.killpg(cell, signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3, err
    assert f"ann: {KATAS[1]} could not be graded" in err
    assert f"could not be graded: ann/{KATAS[1]}. The same command tries again." in out
    student = json.loads((tmp_path / "class-book" / "report.json").read_text())["students"][0]
    assert student["katas"][0]["status"] == "ungraded"
    assert student["katas"][0]["points"] is None
    assert student["max"] == 0

    write(tmp_path / "class" / "ann", {f"{KATAS[1]}.py": HOSTILE["never ends"][0].encode()})
    (tmp_path / "grading.toml").write_text(LIMITS)
    said = dojo_grade(tmp_path, "class", f"--katas={KATAS[1]}", "--workers=1")
    assert said.code == 0, said.err
    student = json.loads((tmp_path / "class-book" / "report.json").read_text())["students"][0]
    assert (student["katas"][0]["status"], student["katas"][0]["points"]) == ("timed-out", 0)


def wait_for(look: Callable[[], Any]) -> Any:
    deadline = monotonic() + 60
    while not (found := look()):
        assert monotonic() < deadline
        sleep(0.02)
    return found


def cells(parent: int) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and b"dojo.grader.cell" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def burning(session: int) -> bool:
    """Whether somebody's code is running in the cell: a process that leads a session of its own, in a deep tree."""
    parents: dict[int, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = {session}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return len(family) >= 5  # the cell, the first of its namespaces, the host, the warden, the runner
