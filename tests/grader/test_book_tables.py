"""`grades.csv`, `report.json` and the terminal's table, read back by those who read them."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from hypothesis import given
from rich.cells import cell_len
from rich.console import Console

from dojo.grader.book.grades_csv import ENCODING, cell, grades_csv
from dojo.grader.book.report_json import report_json
from dojo.grader.book.statistics import summaries
from dojo.grader.book.terminal import table
from dojo.grader.model import Report

from .hostile import same, texts
from .the_class import KATAS, a_class, a_report, a_student, a_test, everything, graded

SAFE = re.compile(r"""'.*|(?![\s"'`]*[-=+@\uff1d\uff0b\uff0d\uff20\t\r]).*""")
"""What a spreadsheet program takes for text: a whitelist, by another way than the code's."""


def rows_of(report: Report) -> list[list[str]]:
    """As a reader of the file gets them."""
    data = grades_csv(report).encode(ENCODING)
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_a_row_a_student_and_a_column_a_kata() -> None:
    half = graded("token_bucket", a_test(status="passed"), a_test(), weight=2.5)
    report = a_report(
        a_student("Zoë", half, graded("lru_cache", status="ungraded"), roster_id="007", flags=("a", "b")),
        a_student("Ada", half, graded("lru_cache", a_test(status="passed"))),
    )
    assert rows_of(report) == [
        ["name", "roster id", "token_bucket", "lru_cache", "total", "max", "incomplete", "flags"],
        ["Zoë", "007", "2.5", "ungraded", "2.5", "5", "1 ungraded", "a | b"],
        ["Ada", "", "2.5", "1", "3.5", "6", "", ""],
    ]
    assert grades_csv(report).encode(ENCODING).startswith(b"\xef\xbb\xbfname,")


@same
@given(texts)
def test_no_cell_is_a_formula(text: str) -> None:
    head, row = rows_of(everything(text))
    assert len(row) == len(head) == 9
    for value in (row[0], row[1], row[-1], cell(text)):
        # Also in a program that splits at another separator, or that drops the quotes.
        for part in re.split(r"[;|,]", value):
            assert SAFE.fullmatch(part), value
        assert "\n" not in value
    assert row[2:7] == ["1", "0", "ungraded", "1", "4"]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =1",
        '"=1',
        "'=1",
        "\xa0=1",
        "\uff1d1",
        "a;=1",
        'a;"=1',
    ],
)
def test_what_begins_a_formula_is_escaped(text: str) -> None:
    assert cell(text).count("'") == text.count("'") + 1
    assert all(SAFE.fullmatch(part) for part in re.split(r"[;|,\t]", cell(text)))


def test_what_an_importer_would_skip_before_a_formula_is_made_visible() -> None:
    assert cell("\ufeff=1") == "<U+FEFF>=1"
    assert cell("a\t=1") == "a =1"


@pytest.mark.parametrize("text", ["Zoë", "O'Neill-Smith", "a@b.org", "007", "1-2", "x = 1", "Smith, Ada"])
def test_an_honest_cell_stays_as_it_is(text: str) -> None:
    assert cell(text) == text


def test_a_penalty_stays_a_number() -> None:
    kata = graded("lru_cache", a_test())
    below = type(kata)(kata.verdict, -1.5, 2, kata.tests)
    assert rows_of(a_report(a_student("Ada", below)))[1][2:5] == ["-1.5", "-1.5", "2"]


@same
@given(texts)
def test_the_json_is_ascii_and_whole(text: str) -> None:
    document = report_json(everything(text))
    assert re.fullmatch(r"[\n -~]*", document)
    [student] = json.loads(document)["students"]
    assert [kata["status"] for kata in student["katas"]] == ["failed", "refused", "ungraded"]
    assert [kata["points"] for kata in student["katas"]] == [1, 0, None]
    assert student["katas"][0]["tests"][1] | {"name": "", "message": ""} == {
        "name": "",
        "status": "timed-out",
        "points": 0,
        "max": 1,
        "message": "",
        "hidden": True,
    }
    json.dumps(json.loads(document), ensure_ascii=False).encode()  # no half of a surrogate pair


def test_the_json_has_the_promised_keys() -> None:
    report = json.loads(report_json(everything("x")))
    assert list(report) == ["title", "tier", "not_enforced", "students"]
    [student] = report["students"]
    assert {"name", "roster_id", "points", "max", "flags", "notes", "katas"} <= set(student)
    assert list(student["katas"][0]) == ["kata", "status", "points", "max", "message", "tests"]


def test_the_statistics_name_what_most_did_not_pass() -> None:
    good, bad, worse = a_test("test_a", "passed"), a_test("test_b"), a_test("test_c")
    report = a_report(
        a_student("1", graded("lru_cache", good, bad, worse)),
        a_student("2", graded("lru_cache", good, a_test("test_b", "passed"), worse)),
        a_student("3", graded("lru_cache", good, a_test("test_b", "passed"), a_test("test_c", "passed"))),
        a_student("4", graded("lru_cache", status="missing", weight=3)),
        a_student("5", graded("lru_cache", bad, status="ungraded")),
    )
    [summary] = summaries(report)
    assert (summary.students, summary.passed, summary.missing, summary.ungraded) == (4, 1, 1, 1)
    assert summary.mean == (1 + 2 + 3 + 0) / 4
    assert [(caught.test.name, caught.count, caught.of) for caught in summary.caught] == [
        ("test_c", 2, 3),
        ("test_b", 1, 3),
    ]
    assert summaries(a_report()) == ()


def printed(report: Report, width: int, **options: object) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=True, color_system="standard", legacy_windows=False, _environ=options
    )
    console.print(table(report, width))
    return out.getvalue()


@pytest.mark.parametrize("width", [50, 80, 200])
@pytest.mark.parametrize("katas", [1, 6, 24])
def test_the_table_fits(width: int, katas: int) -> None:
    report = a_class(100, katas)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", printed(report, width)).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert len(lines) >= 102
    for student, shown in zip(report.students, lines[2:], strict=False):
        assert shown.startswith(student.name[:10])
        assert f"{student.points:g}/{student.max:g}" in shown


def test_a_wide_terminal_names_the_katas_and_a_narrow_one_explains_their_numbers() -> None:
    wide, narrow = printed(a_class(10), 140), printed(a_class(10), 80)
    assert all(kata in wide.splitlines()[1] for kata in KATAS)
    assert not any(kata in narrow.splitlines()[1] for kata in KATAS)
    assert all(f"{place} {kata}" in narrow for place, kata in enumerate(KATAS, start=1))


def test_what_is_ungraded_is_marked() -> None:
    report = a_report(a_student("Ada", graded("lru_cache", status="ungraded"), graded("b", a_test(status="passed"))))
    shown = printed(report, 80)
    assert "1/1*" in shown
    assert "* without what is ungraded" in shown


@same
@given(texts)
def test_no_escape_but_rich_s_own_reaches_the_terminal(text: str) -> None:
    shown = printed(everything(text), 80)
    assert not re.search(
        r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", re.sub(r"\x1b\[[0-9;]*m", "", shown)
    )
    assert "\x1b]" not in shown
    bare = printed(everything(text), 80, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", bare)


def test_an_output_without_unicode_gets_none() -> None:
    out = io.StringIO()
    Console(file=out, width=60).print(table(a_class(30), 60, ascii=True))
    assert out.getvalue().isascii()


def test_a_test_with_several_parameters_is_named_once() -> None:
    report = a_report(a_student("1", graded("lru_cache", a_test("test_a[1]"), a_test("test_a[2]"), a_test("test_b"))))
    [summary] = summaries(report)
    assert [caught.test.name for caught in summary.caught] == ["test_a[1]", "test_b"]
