"""A run in several processes has the verdict of a run in one."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from dojo.catalog import Kata
from dojo.runner import Job, Limits, RunResult, warm
from dojo.runner.forked import Task
from dojo.runner.fresh import forget_parent
from dojo.runner.session import Write, run_pytest
from dojo.runner.shards import Sharder

from .sample import implementation, make_repository

TESTS = '''
import pytest
from tally import steps

@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_it_counts(lab, number):
    """Rule 1. Each number is its own count."""
    lab.expect("steps", steps(number), number, trap="off-by-one")

def test_nothing_is_nothing(lab):
    """Rule 2. Nothing is no step."""
    lab.expect("steps", steps(0), 0, trap="off-by-one")
'''
SOLUTION = "def steps(number):\n    return number\n"


@pytest.fixture(scope="module")
def kata(tmp_path_factory: pytest.TempPathFactory) -> Kata:
    warm()
    return make_repository(tmp_path_factory.mktemp("shards"), tests=TESTS, solution=SOLUTION)


@pytest.fixture
def sharder(kata: Kata) -> Sharder:
    """It has seen a run, and thinks that five processes are worth it."""
    sharder = Sharder(cpus=5, worth_s=1e-9)
    assert len(run(sharder, kata, SOLUTION).tests) == 5
    return sharder


def run(sharder: Sharder, kata: Kata, text: str, *, stop_at_first: bool = True) -> RunResult:
    limits = Limits(wall_seconds=20, cpu_seconds=2)
    job = Job.of(kata, implementation(kata.root, text), stop_at_first=stop_at_first, limits=limits)
    return sharder.run(
        job,
        task=lambda job: Task(job, functools.partial(_body, job)),
        on_test=lambda test: None,
        on_tick=lambda: None,
    )


def _body(job: Job, write: Write) -> int:
    forget_parent(job.root, job.kata)
    return run_pytest(job, write)


def essence(result: RunResult) -> object:
    return result.status, result.detail, [(test.name, test.rule, test.outcome, test.message) for test in result.tests]


@pytest.mark.parametrize("stop_at_first", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        "return number",
        "return number + 1",
        "return number if number != 3 else 4",
        "return number or 1",
        "return 9 if number in (2, 4) else number",
        "raise NotImplementedError",
        "import os; os._exit(0) if number == 3 else None; return number",
        "return number) + 1",
    ],
)
def test_the_verdict_is_that_of_a_single_process(sharder: Sharder, kata: Kata, body: str, stop_at_first: bool) -> None:
    text = f"def steps(number):\n    {body}\n"
    whole = run(Sharder(cpus=1), kata, text, stop_at_first=stop_at_first)
    assert essence(run(sharder, kata, text, stop_at_first=stop_at_first)) == essence(whole)


def test_a_first_failure_waits_for_nobody_after_it(sharder: Sharder, kata: Kata) -> None:
    waits = "import ctypes\n\ndef steps(number):\n    return 9 if number == 1 else ctypes.CDLL(None).pause()\n"
    result = run(sharder, kata, waits)
    assert result.status == "red"
    assert [test.outcome for test in result.tests] == ["failed", *["not-run"] * 4]
    assert result.wall_seconds < 15


def test_what_the_failing_process_printed_is_kept(sharder: Sharder, kata: Kata) -> None:
    result = run(sharder, kata, "def steps(number):\n    print('at', number)\n    return number or 1\n")
    assert (result.status, result.output) == ("red", "at 0\n")


def test_tests_that_have_changed_are_learnt_anew(sharder: Sharder, kata: Kata, tmp_path: Path) -> None:
    other = make_repository(tmp_path, tests=TESTS, solution=SOLUTION)
    assert run(sharder, other, SOLUTION).green
    other.test_file.write_text(TESTS.replace("[1, 2, 3, 4]", "[5, 6]"), encoding="utf-8")
    result = run(sharder, other, SOLUTION)
    assert result.green
    assert [test.name for test in result.tests] == ["test_it_counts[5]", "test_it_counts[6]", "test_nothing_is_nothing"]
