"""JUnit XML, Gradescope and GitHub Classroom: what their readers compute from what we write."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dojo.grader.book import classroom, encoded, gradescope
from dojo.grader.book.junit import junit
from dojo.grader.model import KataGrade, Report, TestGrade

from .hostile import same, texts
from .the_class import a_class, a_report, a_student, a_test, everything, graded

TOKEN = re.compile(r"\S+( \S+)*")


def check_junit(text: str) -> ET.Element:
    """Both schemas, Jenkins' and the stricter one of Ant, as far as they bear on such a document."""
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    assert set(root.attrib) <= {"name", "time", "tests", "failures", "disabled", "errors"}
    for number, suite in enumerate(root):
        assert suite.tag == "testsuite"
        assert set(suite.attrib) == {
            *("name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package")
        }
        assert suite.get("id") == str(number)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
        assert re.fullmatch(r"\d+(\.\d+)?", suite.get("time", ""))
        assert TOKEN.fullmatch(suite.get("name", ""))
        assert [each.tag for each in suite if each.tag != "testcase"] == ["properties", "system-out", "system-err"]
        assert suite[0].tag == "properties"
        assert all(set(each.attrib) == {"name", "value"} for each in suite[0])
        cases = suite.findall("testcase")
        for case in cases:
            assert set(case.attrib) == {"name", "classname", "time"}
            assert TOKEN.fullmatch(case.get("name", ""))
            assert TOKEN.fullmatch(case.get("classname", ""))
            assert len(case) <= 1
            for mark in case:
                assert mark.tag in ("skipped", "failure", "error")
                assert set(mark.attrib) == ({"message"} if mark.tag == "skipped" else {"message", "type"})
                assert len(mark) == 0
        assert suite.get("tests") == str(len(cases))
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(count) == str(len(suite.findall(f"testcase/{tag}")))
    return root


def test_a_suite_a_student_and_kata() -> None:
    tests = [a_test(f"test_{status}", status, "E") for status in ("passed", "failed", "error", "timed-out")]
    report = a_report(
        a_student(
            "Ada",
            graded("lru_cache", *tests, wall_seconds=1.5, flags=("odd",)),
            graded("a", status="missing", message="There is no a.py."),
            graded("b", status="refused"),
            graded("c", status="ungraded", message="The disk was full."),
        )
    )
    root = check_junit(junit(report, datetime(2026, 3, 1, 12, tzinfo=UTC)))
    assert [suite.get("name") for suite in root] == ["Ada lru_cache", "Ada a", "Ada b", "Ada c"]
    marks = [[case[0].tag if len(case) else "passed" for case in suite.iter("testcase")] for suite in root]
    assert marks == [["passed", "failure", "error", "error"], ["failure"], ["error"], ["skipped"]]
    assert root[0].get("timestamp") == "2026-03-01T12:00:00"
    assert root.attrib == {"name": "Reliability, week 3", "tests": "7", "failures": "2", "errors": "3"}
    assert root.findtext("testsuite/testcase/failure") == "E"


@same
@given(texts)
def test_hostile_text_leaves_the_xml_valid(text: str) -> None:
    root = check_junit(junit(everything(text)))
    assert len(root) == 3
    assert len(root[0].findall("testcase")) == 3


def test_a_class_is_valid_in_all_formats() -> None:
    report = a_class()
    check_junit(junit(report))
    for student in report.students:
        check_gradescope(gradescope(report, student))
        check_classroom(classroom(report, student), student.points, student.max)


def check_gradescope(results: dict[str, Any]) -> None:
    """The documented keys and values, and no others."""
    json.dumps(results, ensure_ascii=False, allow_nan=False).encode()
    assert set(results) <= {
        "score",
        "output",
        "output_format",
        "visibility",
        "stdout_visibility",
        "extra_data",
        "tests",
    }
    assert "score" in results or not any("score" in test for test in results["tests"])
    for test in results["tests"]:
        assert set(test) <= {
            *("score", "max_score", "status", "name", "number", "output", "output_format", "tags", "visibility")
        }
        assert test.get("status", "passed") in ("passed", "failed")
        assert test["output_format"] == "text"
        assert test["visibility"] in ("hidden", "after_due_date", "after_published", "visible")
        assert isinstance(test["number"], str)
        assert ("score" in test) == ("max_score" in test) == ("status" in test)


@same
@given(texts, st.sampled_from(["full", "rule", "none"]))
def test_gradescope_sums_up_to_the_book(text: str, feedback: str) -> None:
    report = everything(text, feedback=feedback)
    [student] = report.students
    results = gradescope(report, student)
    check_gradescope(results)
    assert results["score"] == sum(test.get("score", 0) for test in results["tests"]) == student.points
    assert sum(test.get("max_score", 0) for test in results["tests"]) == student.max
    assert [test["visibility"] for test in results["tests"]] == ["visible", "hidden", "visible", "visible", "visible"]
    assert results["extra_data"]["ungraded"] == ["outbox_relay"]


def test_gradescope_tells_a_student_nothing_of_hidden_tests() -> None:
    secret = a_test("test_secret", "failed", "secret message", text="The secret.", hidden=True)
    report = a_report(a_student("Ada", graded("lru_cache", a_test("test_open"), secret, message="1: test_secret")))
    results = gradescope(report, report.students[0])
    visible = [test for test in results["tests"] if test["visibility"] != "hidden"]
    assert "ecret" not in json.dumps([results["output"], visible])
    assert results["tests"][1]["name"] == "lru_cache: test_secret"


def test_gradescope_gets_no_score_where_nothing_could_be_graded() -> None:
    report = a_report(a_student("Ada", graded("lru_cache", status="ungraded")))
    results = gradescope(report, report.students[0])
    assert "score" not in results
    assert "not your fault" in results["output"]
    check_gradescope(results)


def check_classroom(payload: dict[str, Any], points: float, most: float, exact: bool = True) -> float:
    """What the reporter computes from a payload, in its two ways; they agree, and with the book."""
    decoded = json.loads(base64.b64decode(encoded(payload)))
    assert decoded == payload
    assert len(encoded(payload)) < 128 * 1024
    passed = sum(test["status"] == "pass" for test in decoded["tests"])
    console = passed / len(decoded["tests"]) * (decoded["max_score"] or 1)
    check_run = sum(test["score"] for test in decoded["tests"]) if decoded["max_score"] else 0
    assert f"{console:.2f}" == f"{check_run:.2f}" or abs(console - check_run) < 0.0051
    assert all(test["score"] == 0 for test in decoded["tests"] if test["status"] != "pass")
    if exact:
        assert check_run == pytest.approx(points, abs=0.006)
        assert decoded["max_score"] == pytest.approx(most)
    return float(check_run)


def weighted(*tests: tuple[float, float]) -> KataGrade:
    """A kata with tests of (points, max)."""
    grades = tuple(
        TestGrade(a_test(f"test_{number}", "passed" if points == most else "failed"), points, most)
        for number, (points, most) in enumerate(tests)
    )
    kata = graded("lru_cache", *(grade.test for grade in grades))
    return KataGrade(kata.verdict, sum(points for points, _ in tests), sum(most for _, most in tests), grades)


WEIGHTS = st.sampled_from([0, 0.25, 0.5, 1, 2, 3, 5, 10])


@same
@given(st.lists(st.tuples(st.sampled_from([0, 0.5, 1]), WEIGHTS), min_size=1, max_size=8))
def test_both_scores_of_classroom_agree_with_the_book(tests: list[tuple[float, float]]) -> None:
    assume(sum(most for _, most in tests) <= 24)  # 200 shares of 0.125 are 25 points
    kata = weighted(*((part * most, most) for part, most in tests))
    report = a_report(a_student("Ada", kata))
    payload = classroom(report, report.students[0])
    check_classroom(payload, kata.points, kata.max)
    if kata.max:
        assert payload["status"] == ("pass" if kata.points == kata.max else "fail")


@same
@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 100)), min_size=1, max_size=30))
def test_with_any_weights_the_two_agree_with_each_other(tests: list[tuple[bool, float]]) -> None:
    kata = weighted(*((most * passed, most) for passed, most in tests))
    report = a_report(a_student("Ada", kata))
    payload = classroom(report, report.students[0])
    assert len(payload["tests"]) <= 240
    scored = check_classroom(payload, kata.points, kata.max, exact=False)
    assert (payload["status"] == "pass") == all(passed for passed, _ in tests)
    assert scored == pytest.approx(kata.points, abs=0.12 * kata.max + 0.01)


def test_weights_become_rows() -> None:
    report = a_report(a_student("Ada", weighted((2, 2), (1, 3))))
    rows = classroom(report, report.students[0])["tests"]
    assert [(row["name"], row["status"], row["score"]) for row in rows] == [
        ("lru_cache: test_0 (1 of 2)", "pass", 1),
        ("lru_cache: test_0 (2 of 2)", "pass", 1),
        ("lru_cache: test_1 (1 of 3)", "pass", 1),
        ("lru_cache: test_1 (2 of 3)", "fail", 0),
        ("lru_cache: test_1 (3 of 3)", "fail", 0),
    ]


def test_classroom_does_not_count_what_is_ungraded() -> None:
    report = a_report(a_student("Ada", graded("a", a_test(status="passed")), graded("b", status="ungraded", weight=9)))
    payload = classroom(report, report.students[0])
    assert (payload["status"], payload["max_score"], len(payload["tests"])) == ("error", 1, 1)
    report = a_report(a_student("Ada", graded("b", status="ungraded")))
    payload = classroom(report, report.students[0])
    assert (payload["status"], payload["max_score"], len(payload["tests"])) == ("error", 0, 1)
    check_classroom(payload, 0, 0)


@same
@given(texts, st.sampled_from(["full", "rule", "none"]))
def test_hostile_text_is_no_command_to_github_s_runner(text: str, feedback: str) -> None:
    report: Report = everything(text, feedback=feedback)
    [student] = report.students
    payload = classroom(report, student)
    check_classroom(payload, student.points, student.max)
    for test in payload["tests"]:
        for shown in (test["name"], test["message"], test.get("test_code", "")):
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
            for part in shown.splitlines():
                assert not part.lstrip().startswith("::")
                assert "##[" not in part
    assert "hidden test" in payload["tests"][1]["name"]


def test_a_payload_is_short_enough_for_an_environment_variable() -> None:
    tests = [a_test(f"test_{number}", "failed", "\U0001f980" * 30_000) for number in range(60)]
    report = a_report(a_student("Ada", graded("lru_cache", *tests)))
    payload = classroom(report, report.students[0])
    assert len(payload["tests"]) == 60
    check_classroom(payload, 0, 60)
