"""Whatever the tested code does, a run ends as a clear result."""

from __future__ import annotations

import pytest

from dojo.runner import Limits, RunResult, run

from .conftest import SOLUTION
from .sample import write


def outcomes(result: RunResult) -> list[str]:
    return [test.outcome for test in result.tests]


def test_right_code_is_green(either):
    result = either(SOLUTION)
    assert (result.status, result.detail) == ("green", "")
    assert [(test.name, test.rule, test.text) for test in result.tests] == [
        ("test_adds", 1, "The sum of two numbers."),
        ("test_doubles", 2, "Twice a number."),
        ("test_zero", 3, "Twice nothing is nothing."),
    ]
    assert all(test.passed for test in result.tests)
    assert 0 < result.cpu_seconds < 10
    assert result.wall_seconds > 0


def test_a_wrong_answer_is_red_and_names_rule_and_trap(either):
    result = either(SOLUTION.replace("2 * a", "a * a"))
    assert result.status == "red"
    assert outcomes(result) == ["passed", "failed", "passed"]
    [failed] = result.failed
    assert (failed.rule, failed.kind, failed.trap) == (2, "failure", "squared")
    assert "Rule 2" in failed.message
    assert result.detail == failed.message


def test_an_unwritten_body_is_missing(attempt):
    result = attempt(SOLUTION.replace("return 2 * a", "raise NotImplementedError"))
    assert [test.kind for test in result.tests] == [None, "missing", "missing"]


def test_an_error_that_comes_after_the_verdict_is_shown(attempt):
    late = "class Late:\n    def __del__(self):\n        raise ValueError('too late')\n"
    result = attempt(SOLUTION.replace("return 2 * a", "Late(); return 2 * a") + late)
    assert result.status == "red"
    assert [test.outcome for test in result.tests] == ["passed", "failed", "failed"]
    assert "too late" in result.tests[1].message


def test_stop_at_first_leaves_the_rest_unrun(attempt):
    result = attempt("def add(a, b):\n    return 0\ndef double(a):\n    return 0\n", stop_at_first=True)
    assert outcomes(result) == ["failed", "not-run", "not-run"]
    assert result.status == "red"


def test_only_chooses_and_orders(attempt):
    result = attempt(SOLUTION, only=("test_zero", "test_adds"))
    assert [test.name for test in result.tests] == ["test_zero", "test_adds"]
    assert result.status == "green"


def test_only_with_an_unknown_name_is_broken_and_lists_the_names(attempt):
    result = attempt(SOLUTION, only=("test_nothing",))
    assert result.status == "broken"
    assert "test_nothing" in result.detail
    assert "test_adds, test_doubles, test_zero" in result.detail


@pytest.mark.parametrize("code", [0, 3])
def test_os_exit_is_a_crash_in_its_test(either, code):
    result = either(SOLUTION.replace("return 2 * a", f"import os; os._exit({code})"))
    assert result.status == "crashed"
    assert outcomes(result) == ["passed", "failed", "not-run"]
    assert result.tests[1].kind == "crashed"
    assert f"code {code} in test_doubles" in result.detail


def test_os_exit_at_import_is_a_crash(attempt):
    result = attempt("import os; os._exit(0)")
    assert (result.status, result.tests) == ("crashed", ())


def test_a_segmentation_fault_is_a_crash(attempt):
    result = attempt(SOLUTION.replace("return 2 * a", "import ctypes; ctypes.string_at(0)"))
    assert result.status == "crashed"
    assert "SIGSEGV in test_doubles" in result.detail
    assert outcomes(result) == ["passed", "failed", "not-run"]


def test_a_loop_that_nothing_interrupts_is_timed_out(either):
    # It swallows the lab's own exception, so that only the kernel's limit ends it.
    stubborn = """
    import signal
    for number in (signal.SIGALRM, signal.SIGVTALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass
    """
    result = either(SOLUTION.replace("    return 2 * a", stubborn), limits=Limits(20, 1))
    assert result.status == "timed-out"
    assert outcomes(result) == ["passed", "failed", "not-run"]
    assert result.tests[1].kind == "timed-out"
    assert "test_doubles" in result.detail


def test_a_wait_outside_virtual_time_is_timed_out(attempt):
    result = attempt(SOLUTION.replace("return 2 * a", "import os; os.read(os.pipe()[0], 1)"), limits=Limits(0.7, 5))
    assert result.status == "timed-out"
    assert "0.7 s in test_doubles" in result.detail
    assert result.wall_seconds < 8


def test_a_flood_is_ended_and_shown_in_part(either):
    result = either(SOLUTION.replace("return 2 * a", "\n    while True: print('flood' * 20)"))
    assert result.status in ("crashed", "red")  # whichever limit comes first: the parent's or the kernel's
    assert result.tests[1].outcome == "failed"
    assert "bytes left out" in result.output
    assert len(result.output) < 80_000


def test_ordinary_output_is_kept(attempt):
    result = attempt(SOLUTION + "print('loaded')")
    assert result.status == "green"
    assert "loaded" in result.output


@pytest.mark.parametrize(
    "text",
    [
        "def add(a, b:\n    pass",
        "from nowhere_at_all import nothing",
        "import sys; sys.exit(0)",
        "import pytest; pytest.skip('no', allow_module_level=True)",
        "import pytest; pytest.exit('enough', returncode=0)",
        "def add(a, b): return a + b",
        "",
    ],
    ids=["syntax", "import", "exit", "skip", "pytest-exit", "missing-name", "empty"],
)
def test_code_that_cannot_be_imported_never_passes(attempt, text):
    result = attempt(text)
    assert result.status in ("broken", "red", "crashed")
    assert not any(test.passed for test in result.tests)
    assert result.detail


@pytest.mark.parametrize(
    "body",
    [
        "import pytest; pytest.skip('later')",
        "import unittest; raise unittest.SkipTest('later')",
        "import pytest; pytest.xfail('known')",
        "import pytest; pytest.exit('enough', returncode=0)",
        "raise SystemExit(0)",
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
    ],
)
def test_leaving_a_test_by_a_side_door_is_not_a_pass(attempt, body):
    result = attempt(SOLUTION.replace("return 2 * a", body))
    assert result.status in ("red", "crashed")
    assert result.tests[0].passed
    assert not result.tests[1].passed
    assert result.detail


def test_no_tests_is_broken(kata):
    kata.test_file.write_text("from tally import add\n", encoding="utf-8")
    result = run(kata, kata.solution)
    assert result.status == "broken"
    assert "no tests" in result.detail


def test_a_skipped_or_expected_failure_in_the_test_file_is_not_a_pass(kata):
    write(
        kata.test_file,
        '''
        import pytest

        @pytest.mark.skip
        def test_skipped(lab):
            """Rule 1. Skipped."""

        @pytest.mark.xfail
        def test_expected(lab):
            """Rule 2. Expected to fail."""
            assert False

        @pytest.mark.xfail
        def test_unexpected(lab):
            """Rule 3. Expected to fail, and passes."""
        ''',
    )
    result = run(kata, kata.solution)
    assert result.status == "red"
    assert outcomes(result) == ["failed"] * 3
    assert [test.kind for test in result.tests] == ["skipped"] * 3
