"""What a learner's tests are worth: the mutants that they kill, and the right solutions that they spare.

- A test counts if it passes on the reference solution, twice and in two orders, and on every alternative: a test
  that rejects a right solution proves nothing, and neither does one that cannot make up its mind.
- An alternative is wrong in the rules that it declares to break. A test that says `Rule N.` may reject it for one of
  these and counts all the same; a test that names no rule has the benefit of the doubt if it rejects nothing else.
- A mutant is killed by any failure of a test that counts, be it an assertion, an exception, a deadlock or a run that
  never ends, as in real life; a skip is no pass, as everywhere in the dojo. A module that cannot be collected kills
  nothing, nor does a test that meets a limit of the lab.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from dojo.author import declared
from dojo.author.declared import Mutant
from dojo.catalog import Kata
from dojo.flip import unfit
from dojo.flip.unfit import UnfitTests
from dojo.practice import History, sha256
from dojo.runner import Job, Limits, RunnerError, RunResult, TestResult, run_many, run_variants, warm
from dojo.stubs import stub_of

LIMITS = Limits(wall_seconds=60.0, cpu_seconds=15)
"""Of one run of all tests on a right solution: the repository's own need a tenth of it."""

_ENDLESS = ("timed-out", "crashed", "never-finishes")
_NO_VERDICT = "lab"
_MAX_ENDLESS = 3
"""So many tests of a file may end their process before those after them are given up."""
_NOT_RUN = "not run: too many tests before it never end"


@dataclass(frozen=True, slots=True)
class Right:
    """A right solution."""

    name: str
    """Of an alternative's file; `reference` for the reference solution."""
    path: Path
    design: str = ""
    breaks: tuple[int, ...] = ()
    """Rules in which it is known to be wrong."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A test that fails on a right solution."""

    right: Right
    kind: str
    message: str
    """What the learner sees of the failing test."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one of the learner's tests."""

    name: str
    rule: int | None
    rejections: tuple[Rejection, ...] = ()
    excused: tuple[Rejection, ...] = ()
    """By alternatives that may be wrong in what it tests."""
    flaky: bool = False
    """It passed and failed on the same solution."""
    spares_stub: bool = False
    """It passes where nothing is written yet, so it tests nothing of the kata."""

    @property
    def counts(self) -> bool:
        return not self.rejections and not self.flaky


@dataclass(frozen=True, slots=True)
class Flip:
    """A learner's tests, judged."""

    kata: str
    sha256: str
    """Of the file of tests."""
    tests: tuple[Verdict, ...]
    right: tuple[Right, ...]
    mutants: tuple[tuple[Mutant, str | None], ...]
    """By rule and trap, each with a test that kills it: one of its rule before another, a quick one before a slow."""
    seconds: float

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        return tuple(mutant for mutant, by in self.mutants if by is None)

    @property
    def kills(self) -> int:
        return len(self.mutants) - len(self.survivors)

    @property
    def rejected(self) -> tuple[str, ...]:
        """Names of right solutions that some test rejects."""
        names = {rejection.right.name for test in self.tests for rejection in test.rejections}
        return tuple(right.name for right in self.right if right.name in names)

    @property
    def spared(self) -> int:
        return len(self.right) - len(self.rejected)

    @property
    def perfect(self) -> bool:
        return not self.survivors and not self.rejected and all(test.counts for test in self.tests)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready, everything that is known."""
        return {
            "kata": self.kata,
            "sha256": self.sha256,
            "kills": self.kills,
            "spared": self.spared,
            "perfect": self.perfect,
            "seconds": self.seconds,
            "mutants": [
                {"name": mutant.name, "rule": mutant.rule, "trap": mutant.trap, "killed_by": by}
                for mutant, by in self.mutants
            ],
            "right": [
                {
                    "name": one.name,
                    "design": one.design,
                    "breaks": list(one.breaks),
                    "spared": one.name not in self.rejected,
                }
                for one in self.right
            ],
            "tests": [
                {
                    "name": test.name,
                    "rule": test.rule,
                    "counts": test.counts,
                    "flaky": test.flaky,
                    "spares_stub": test.spares_stub,
                    "rejections": [_rejection_json(one) for one in test.rejections],
                    "excused": [_rejection_json(one) for one in test.excused],
                }
                for test in self.tests
            ],
        }


def _rejection_json(rejection: Rejection) -> dict[str, str]:
    return {"right": rejection.right.name, "kind": rejection.kind, "message": rejection.message}


def score(kata: Kata, *, limits: Limits = LIMITS, workers: int | None = None) -> Flip:
    """Judge the tests in `kata.flip`; takes some seconds.

    Raises UnfitTests if they cannot be run or change meanwhile, RunnerError if the kata's own files cannot, and
    DeclarationError if its mutants or alternatives are not well declared.
    """
    start = monotonic()
    text = _read(kata)
    mutants = sorted(declared.mutants(kata), key=lambda mutant: (mutant.rule, mutant.trap, mutant.name))
    right = (
        Right("reference", kata.solution),
        *(Right(one.name, one.path, one.design, one.breaks) for one in declared.alternatives(kata)),
    )
    tests: tuple[Verdict, ...] = ()
    killed: list[str | None] = [None] * len(mutants)
    if unfit.has_tests(unfit.check(kata, text)):
        warm()
        reference = _reference(kata, limits)
        tests = _verdicts(kata, right, reference, limits, workers) if reference.tests else ()
        # A mutant may well make a loop endless; three times the solution's time is generous for a run that ends.
        short = replace(limits, cpu_seconds=min(limits.cpu_seconds, max(2, math.ceil(3 * reference.cpu_seconds))))
        counting = {test.name for test in tests if test.counts}
        killed = _killers(kata, mutants, [test for test in reference.tests if test.name in counting], short, workers)
    if _read(kata) != text:
        raise UnfitTests(f"{kata.flip.name} was changed while it was being scored. Score it again.")
    pairs = tuple(zip(mutants, killed, strict=True))
    return Flip(kata.name, sha256(text), tests, right, pairs, round(monotonic() - start, 3))


def record(past: History, flip: Flip) -> None:
    """Remember a flip. Call it before it is shown."""
    past.record(
        flip.kata,
        "flip",
        kills=flip.kills,
        mutants=len(flip.mutants),
        spared=flip.spared,
        right=len(flip.right),
        tests=len(flip.tests),
        sha256=flip.sha256,
        survivors=[mutant.name for mutant in flip.survivors],
    )


def _read(kata: Kata) -> bytes:
    try:
        return kata.flip.read_bytes()
    except OSError as error:
        raise UnfitTests(f"{kata.flip} cannot be read: {error.strerror}.") from error


def _job(kata: Kata, impl: Path, limits: Limits, *, only: Sequence[str] = (), stop_at_first: bool = False) -> Job:
    return replace(
        Job.of(kata, impl, limits=limits, only=only, stop_at_first=stop_at_first),
        test_file=kata.flip,
    )


def _reference(kata: Kata, limits: Limits) -> RunResult:
    """The tests on the reference solution in their order; none if pytest finds none. Raises UnfitTests."""
    [result] = _to_the_end([_job(kata, kata.solution, limits)], run_many)
    if result.status == "broken" and not result.detail.startswith("no tests were found"):
        raise unfit.broken(kata.flip, result)
    if result.tests or result.status == "broken":
        return result
    raise UnfitTests(f"{kata.flip.name} cannot be run: {result.detail}")


def _verdicts(
    kata: Kata, right: Sequence[Right], reference: RunResult, limits: Limits, workers: int | None
) -> tuple[Verdict, ...]:
    """What each test makes of the right solutions and of the stub."""
    # Those that do not end would cost the same seconds on each solution.
    ending = [test.name for test in reference.tests if test.outcome != "not-run" and test.kind not in _ENDLESS]
    found: dict[str, dict[str, TestResult]] = {test.name: {"reference": test} for test in reference.tests}
    again: dict[str, TestResult] = {}
    spare_stub: set[str] = set()
    if ending:
        with tempfile.TemporaryDirectory(prefix="dojo-flip-") as directory:
            stub = Path(directory) / f"{kata.name}.py"
            stub.write_text(stub_of(kata), encoding="utf-8")
            jobs = [
                _job(kata, kata.solution, limits, only=ending[::-1]),
                *(_job(kata, one.path, limits, only=ending) for one in right[1:]),
                _job(kata, stub, limits, only=ending),
            ]
            reverse, *alternatives, unwritten = _to_the_end(
                jobs, lambda jobs: run_variants(kata.solution, jobs, workers)
            )
        again = {test.name: test for test in reverse.tests}
        spare_stub = {test.name for test in unwritten.tests if test.passed}
        for one, result in zip(right[1:], alternatives, strict=True):
            if not result.tests:
                raise RunnerError(f"alternative {one.name} cannot be run: {result.detail}")
            for test in result.tests:
                found[test.name][one.name] = test
    return tuple(
        _verdict(right, found[test.name], again.get(test.name, test), test.name in spare_stub)
        for test in reference.tests
    )


def _verdict(right: Sequence[Right], on: dict[str, TestResult], again: TestResult, spares_stub: bool) -> Verdict:
    first = on["reference"]
    flaky = first.passed != again.passed
    if flaky and first.passed:
        on = {**on, "reference": again}
    rejections = [
        Rejection(one, on[one.name].kind or "not-run", on[one.name].message or _NOT_RUN)
        for one in right
        if one.name in on and not on[one.name].passed
    ]
    in_doubt = first.rule is None and all(rejection.right.breaks for rejection in rejections)
    excused = [rejection for rejection in rejections if in_doubt or first.rule in rejection.right.breaks]
    return Verdict(
        name=first.name,
        rule=first.rule,
        rejections=tuple(rejection for rejection in rejections if rejection not in excused),
        excused=tuple(excused),
        flaky=flaky,
        spares_stub=spares_stub,
    )


def _killers(
    kata: Kata, mutants: Sequence[Mutant], tests: Sequence[TestResult], limits: Limits, workers: int | None
) -> list[str | None]:
    """For each mutant a test that kills it; `tests` are those that count, as they ran on the reference."""
    if not tests:
        return [None] * len(mutants)
    jobs = [_job(kata, mutant.path, limits, only=_promising(tests, mutant), stop_at_first=True) for mutant in mutants]
    results = run_variants(kata.solution, jobs, workers)
    # Where the first failure is no verdict, a later test may still give one.
    left = [number for number, result in enumerate(results) if result.failed and _killer(result) is None]
    whole = [replace(jobs[number], stop_at_first=False) for number in left]
    for number, result in zip(left, run_variants(kata.solution, whole, workers), strict=True):
        results[number] = result
    return [_killer(result) for result in results]


def _promising(tests: Sequence[TestResult], mutant: Mutant) -> list[str]:
    """The tests of the mutant's own rule, then the others, the quick before the slow.

    In coarse steps, so that the order does not follow each tremor of the clock.
    """

    def cost(test: TestResult) -> tuple[bool, int]:
        return test.rule != mutant.rule, max(-6, math.ceil(math.log2(max(test.seconds, 1e-9))))

    return [test.name for test in sorted(tests, key=cost)]


def _killer(result: RunResult) -> str | None:
    return next((test.name for test in result.failed if test.kind != _NO_VERDICT), None)


def _to_the_end(jobs: Sequence[Job], run: Callable[[list[Job]], list[RunResult]]) -> list[RunResult]:
    """Run the jobs; where a run ends within a test, the tests after it are run without it."""
    results = run(list(jobs))
    for _ in range(_MAX_ENDLESS):
        left = {number: _not_run(result) for number, result in enumerate(results) if _not_run(result)}
        if not left:
            break
        rest = run([replace(jobs[number], only=names) for number, names in left.items()])
        for number, result in zip(left, rest, strict=True):
            later = {test.name: test for test in result.tests}
            before = results[number]
            results[number] = replace(before, tests=tuple(later.get(test.name, test) for test in before.tests))
    return results


def _not_run(result: RunResult) -> tuple[str, ...]:
    if not any(test.outcome == "failed" for test in result.tests):
        return ()  # it did not end in a test, so it would end again
    return tuple(test.name for test in result.tests if test.outcome == "not-run")
