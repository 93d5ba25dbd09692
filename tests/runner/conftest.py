"""A kata with two functions and three rules, and ways to run an attempt at it."""

from __future__ import annotations

import pytest

from dojo.runner import Job, Limits, RunResult, run_many, warm
from dojo.runner.spawned import run_spawned

from .sample import implementation, make_repository

TESTS = '''
from tally import add, double

def test_adds(lab):
    """Rule 1. The sum of two numbers."""
    lab.expect("add(2, 3)", add(2, 3), 5, trap="off-by-one")

def test_doubles(lab):
    """Rule 2. Twice a number.

    More text that is not the rule.
    """
    lab.expect("double(4)", double(4), 8, trap="squared")

def test_zero(lab):
    """Rule 3. Twice nothing is nothing."""
    lab.expect("double(0)", double(0), 0, trap="off-by-one")
'''
SOLUTION = """
def add(a, b):
    return a + b

def double(a):
    return 2 * a
"""
SMALL = Limits(wall_seconds=20, cpu_seconds=2, output_bytes=200_000)


@pytest.fixture(scope="session")
def warmed():
    warm()


@pytest.fixture
def kata(tmp_path, warmed):
    return make_repository(tmp_path, tests=TESTS, solution=SOLUTION)


@pytest.fixture
def attempt(kata):
    """Runs source text as the kata's implementation, in a fork of this process."""

    def runner(text: str, **options) -> RunResult:
        job = Job.of(kata, implementation(kata.root, text), **{"limits": SMALL, **options})
        return run_many([job])[0]

    return runner


@pytest.fixture(params=["forked", "spawned"])
def either(request, kata, attempt):
    """Like `attempt`, in either kind of process."""

    def spawned(text: str, **options) -> RunResult:
        job = Job.of(kata, implementation(kata.root, text), **{"limits": SMALL, **options})
        return run_spawned([job], 1)[0]

    return attempt if request.param == "forked" else spawned
