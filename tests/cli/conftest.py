"""A small repository of the same shape, so that no test reads or writes the real katas."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dojo.catalog import Catalog, Kata, load
from dojo.cli.app import app
from dojo.practice import Event, history
from dojo.practice.history import Kind
from dojo.runner import RunResult, TestResult
from dojo.stubs import write_stub

REPOSITORY = Path(__file__).resolve().parents[2]

SYLLABUS = """
[[kata]]
track = "counting"
name = "add_one"
title = "One more, and no less"
difficulty = 1
minutes = 5
needs = []

[[kata]]
track = "counting"
name = "add_two"
title = "Two more"
difficulty = 2
minutes = 10
needs = ["add_one"]
"""

SOLUTION = '''"""Counting upwards."""


def {name}(number: int) -> int:
    """The number that comes {step} later. Raises ValueError below zero."""
    if number < 0:
        raise ValueError(number)
    return number + {step}
'''

TESTS = '''"""Counting upwards, rule by rule."""

from {name} import {name}


def test_it_counts(lab):
    """Rule 1. The result is {step} more than the number."""
    lab.expect("the sum", {name}(1), 1 + {step}, trap="same-number")


def test_it_counts_from_zero(lab):
    """Rule 1. The result is {step} more than the number."""
    lab.expect("the sum", {name}(0), {step}, trap="same-number")


def test_it_refuses_negative_numbers(lab):
    """Rule 2. A number below zero is refused."""
    with lab.raises(ValueError, when="the number is -1", trap="no-check"):
        {name}(-1)
'''

README = "# Counting\n\n## Rules\n\n1. ...\n\n## Traps\n\n### same-number\n\n### no-check\n"

HINTS = """# Hints

## 1 Say it again

Count aloud.

## 2 The idea

Addition.

## 3 The shape

A check, then a sum.

## 4 The step

`return number + 1`
"""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def katas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The catalogue of a complete little clone, which is also the working directory."""
    root = tmp_path / "clone"
    found = little_clone(root)
    monkeypatch.chdir(root)
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr("sys.argv", ["dojo"])
    monkeypatch.setattr("dojo.__file__", str(root / "dojo" / "__init__.py"))
    return found


@pytest.fixture
def first(katas: Catalog) -> Kata:
    return katas.katas[0]


@pytest.fixture
def dojo(katas: Catalog) -> Run:
    """Runs a command as a person would: `dojo("hint", "add_one")`."""

    def run(*arguments: str, **environment: str) -> Result:
        result = CliRunner().invoke(app, list(arguments), env=environment, prog_name="dojo")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Result(result.exit_code, result.stdout, result.stderr)

    return run


def solve(kata: Kata) -> None:
    """Make the learner's file right."""
    kata.stub.write_bytes(kata.solution.read_bytes())


def events(katas: Catalog, *kinds: Kind) -> list[Event]:
    """On record, of these kinds."""
    with history(katas.root) as past:
        return past.events(None, *kinds)


def run_result(green: bool) -> RunResult:
    """As if the first kata's tests had been run."""
    tests = (
        TestResult("test_counts", 1, "It counts.", "passed"),
        TestResult("test_refuses", 2, "It refuses.", "passed" if green else "failed", message="Rule 2\n\n  next  x"),
    )
    return RunResult("add_one", "green" if green else "red", tests, 0.1, 0.1)


def little_clone(root: Path) -> Catalog:
    """Lay it out in the directory `root`, which is made."""
    (root / "katas").mkdir(parents=True)
    (root / "katas" / "syllabus.toml").write_text(SYLLABUS, encoding="utf-8")
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(REPOSITORY / name, root / name)
    found = load(root)
    for step, kata in enumerate(found, start=1):
        _lay_out(kata, step)
    return found


def _lay_out(kata: Kata, step: int) -> None:
    kata.directory.mkdir(parents=True)
    kata.readme.write_text(README, encoding="utf-8")
    kata.hints.write_text(HINTS, encoding="utf-8")
    kata.test_file.write_text(TESTS.format(name=kata.name, step=step), encoding="utf-8")
    kata.solution.parent.mkdir(parents=True, exist_ok=True)
    kata.solution.write_text(SOLUTION.format(name=kata.name, step=step), encoding="utf-8")
    for directory, file in ((kata.mutants, "same.py"), (kata.alternatives, "loop.py")):
        directory.mkdir(parents=True)
        shutil.copy(kata.solution, directory / file)
    write_stub(kata)
