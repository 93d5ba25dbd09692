"""What a run is asked for and what comes back: plain frozen values that survive JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from dojo.catalog import Kata

Status = Literal["green", "red", "broken", "timed-out", "crashed"]
"""green: every collected test has an explicit pass. red: at least one test failed, and the run reached
its end. broken: the tests could not be run (a syntax error, a missing name, no tests). timed-out and
crashed: the process was ended from outside, or ended itself."""

Outcome = Literal["passed", "failed", "not-run"]


class RunnerError(Exception):
    """A run cannot be started as asked; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run. They end hostile or endless code; ordinary code never comes near them."""

    wall_seconds: float = 60.0
    cpu_seconds: int = 30
    """Counted by the kernel for the child alone, so a busy machine does not change a verdict."""
    output_bytes: int = 16 << 20
    memory_bytes: int = 4 << 30
    """Address space, not resident memory: the threads of sync tests reserve much and use little."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run: the tests of one kata on one implementation."""

    kata: str
    root: Path
    test_file: Path
    impl: Path
    """A file or a directory, as `--impl` takes it."""
    stop_at_first: bool = False
    only: tuple[str, ...] = ()
    """Names of tests, in the order in which they are to run; empty for all, in teaching order."""
    redis: str = "fake"
    schedule: str = ""
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(
        cls,
        kata: Kata,
        impl: Path,
        *,
        stop_at_first: bool = False,
        only: Iterable[str] = (),
        redis: str = "fake",
        schedule: str = "",
        limits: Limits | None = None,
    ) -> Job:
        """Raises RunnerError if the tests or the implementation are not there."""
        if not kata.test_file.is_file():
            raise RunnerError(f"{kata.id} has no tests: {kata.test_file} is missing. Restore it from a clone.")
        if not impl.exists():
            raise RunnerError(f"no implementation at {impl}. Name a Python file or a directory.")
        return cls(
            kata=kata.name,
            root=kata.root,
            test_file=kata.test_file,
            impl=impl.resolve(),
            stop_at_first=stop_at_first,
            only=tuple(only),
            redis=redis,
            schedule=schedule,
            limits=limits or Limits(),
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `from_json` is its inverse."""
        return {
            **asdict(self),
            "root": str(self.root),
            "test_file": str(self.test_file),
            "impl": str(self.impl),
            "only": list(self.only),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        return cls(
            kata=data["kata"],
            root=Path(data["root"]),
            test_file=Path(data["test_file"]),
            impl=Path(data["impl"]),
            stop_at_first=data["stop_at_first"],
            only=tuple(data["only"]),
            redis=data["redis"],
            schedule=data["schedule"],
            limits=Limits(**data["limits"]),
        )


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test of a run."""

    __test__ = False  # a value, whatever pytest makes of its name

    name: str
    """As in the node id, after the file: `test_x`, `test_x[3]`, `TestGroup::test_x`."""
    rule: int | None
    text: str
    """The rule's sentence, from the test's docstring."""
    outcome: Outcome
    kind: str | None = None
    """How it failed: failure, error, assert, deadlock, never-finishes or missing as the plugin names
    them; skipped, setup or teardown if it was no verdict at all; timed-out or crashed if the process
    ended in it."""
    trap: str | None = None
    message: str = ""
    """What the learner sees."""
    schedule: str | None = None
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run of a kata's tests, in the order in which they ran."""

    kata: str
    status: Status
    tests: tuple[TestResult, ...]
    cpu_seconds: float
    wall_seconds: float
    output: str = ""
    """What the process printed, shortened in the middle if long."""
    detail: str = ""
    """Why, if the status is not green: the first failure's message, or what ended the run."""
    flags: tuple[str, ...] = ()
    """What a person should look at, if the run was watched for that: see `dojo.grader`."""

    @property
    def green(self) -> bool:
        return self.status == "green"

    @property
    def failed(self) -> tuple[TestResult, ...]:
        return tuple(test for test in self.tests if test.outcome == "failed")

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `from_json` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunResult:
        tests = tuple(TestResult(**test) for test in data["tests"])
        return cls(**{**data, "tests": tests, "flags": tuple(data["flags"])})


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What became of one rule of a kata in a run."""

    number: str
    """As in the README; empty for a test that names no rule."""
    sentence: str
    outcome: Outcome


def rules(result: RunResult) -> list[RuleResult]:
    """The rules in the order of their first test.

    A rule that several tests check holds if all of them pass. A test without a rule is a row of its own.
    """
    rows: dict[str, list[TestResult]] = {}
    for test in result.tests:
        rows.setdefault(test.name if test.rule is None else str(test.rule), []).append(test)
    return [
        RuleResult("" if tests[0].rule is None else key, tests[0].text or tests[0].name, _together(tests))
        for key, tests in rows.items()
    ]


def _together(tests: Sequence[TestResult]) -> Outcome:
    if any(test.outcome == "failed" for test in tests):
        return "failed"
    return "passed" if all(test.outcome == "passed" for test in tests) else "not-run"


OnTest = Callable[[int, TestResult], None]
"""Called with the job's index for each test as it finishes."""
