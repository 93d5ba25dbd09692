"""Runs everything that the gate asks of katas: stubs, solutions, mutants, alternatives, mutation scores."""

from __future__ import annotations

import functools
import math
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dojo.author import brief, declared, verdicts
from dojo.author.declared import Alternative, DeclarationError, Mutant
from dojo.author.score import GOAL, Score, score
from dojo.author.survivors import SurvivorsError
from dojo.catalog import Kata
from dojo.runner import Job, RunnerError, RunResult, run_many, run_variants, warm
from dojo.runner.ending import leave_on_sigterm
from dojo.stubs import StubError, is_pristine, stub_of


@dataclass(frozen=True, slots=True)
class Checked:
    """Everything that was found out about one kata. What could not be run is None or missing."""

    kata: Kata
    stub: RunResult | None
    solution: RunResult | None
    mutants: tuple[tuple[Mutant, RunResult], ...]
    alternatives: tuple[tuple[Alternative, RunResult], ...]
    score: Score | None
    complaints: tuple[str, ...]

    @property
    def done(self) -> bool:
        return not self.complaints

    @property
    def dead(self) -> tuple[Mutant, ...]:
        """The mutants that died as they declare."""
        return tuple(mutant for mutant, result in self.mutants if not verdicts.mutant(mutant, result))

    @property
    def spared(self) -> tuple[Alternative, ...]:
        """The alternatives that fared as they declare."""
        return tuple(one for one, result in self.alternatives if not verdicts.alternative(one, result))


def run_stubs(katas: Sequence[Kata], workers: int | None = None) -> list[RunResult]:
    """The katas' tests on their pristine stubs, which are derived, whatever the learner's files hold.

    Raises StubError if one cannot be derived.
    """
    with tempfile.TemporaryDirectory(prefix="dojo-stubs-") as directory:
        jobs = []
        for kata in katas:
            path = Path(directory) / f"{kata.name}.py"
            path.write_text(stub_of(kata), encoding="utf-8")
            jobs.append(Job.of(kata, path))
        return run_many(jobs, workers)


def run_solutions(katas: Sequence[Kata], workers: int | None = None, *, redis: str = "fake") -> list[RunResult]:
    return run_many([Job.of(kata, kata.root / "solutions", redis=redis) for kata in katas], workers)


def run_mutants(
    kata: Kata, solution: RunResult, names: Collection[str] | None = None, workers: int | None = None
) -> list[tuple[Mutant, RunResult]]:
    """The kata's mutants, or the named ones, on the tests of the rule that each declares.

    Each runs up to the test that rejects it. The solution's run says which tests are whose. Each mutant
    runs as a copy that bears the learner's file name, so that its messages are what a learner with the
    same mistake would see. Raises DeclarationError, and RunnerError if the tests cannot be collected on
    the solution.
    """
    mutants = [mutant for mutant in declared.mutants(kata) if names is None or mutant.name in names]
    with tempfile.TemporaryDirectory(prefix="dojo-mutants-") as directory:
        jobs = []
        for number, mutant in enumerate(mutants):
            copy = Path(directory) / f"m{number}" / f"{kata.name}.py"
            copy.parent.mkdir()
            copy.write_bytes(mutant.path.read_bytes())
            its_tests = [test.name for test in solution.tests if test.rule == mutant.rule]
            jobs.append(Job.of(kata, copy, only=its_tests, stop_at_first=True))
        results = run_variants(kata.solution, jobs, workers)
        # Where the rule's first failure names another trap, a later test may still name the declared one.
        again = [
            number
            for number, mutant in enumerate(mutants)
            if results[number].status == "red" and verdicts.killing(mutant, results[number]) is None
        ]
        second = run_variants(kata.solution, [replace(jobs[number], stop_at_first=False) for number in again], workers)
        for number, result in zip(again, second, strict=True):
            results[number] = result
    return list(zip(mutants, results, strict=True))


def run_alternatives(kata: Kata, workers: int | None = None) -> list[tuple[Alternative, RunResult]]:
    """The kata's alternatives, on all of its tests.

    Raises DeclarationError, and RunnerError if the tests cannot be collected on the solution.
    """
    alternatives = declared.alternatives(kata)
    results = run_variants(kata.solution, [Job.of(kata, alternative.path) for alternative in alternatives], workers)
    return list(zip(alternatives, results, strict=True))


def score_complaints(result: Score) -> list[str]:
    found = []
    if not result.good:
        unnoticed = f"{len(result.unexplained)} of {result.total} mutations unnoticed"
        found.append(
            f"mutation score {result.ratio:.1%} (goal {GOAL:.0%}), {unnoticed}: "
            f"read them with `dojo author mutate {result.kata}`."
        )
    found += [f"survivors.toml explains {key}, which does not survive: remove it." for key in result.stale]
    return found


def _silent(text: str) -> None:
    pass


def check(
    katas: Sequence[Kata], *, fast: bool = False, recheck: bool = True, tell: Callable[[str], None] = _silent
) -> list[Checked]:
    """Runs everything on the katas; `fast` leaves out the mutation scores. The results are in the katas' order.

    `recheck` is as in `score`. `tell` hears what is about to be run, in a process of its own if there are several
    katas. A kata whose files are incomplete is checked as far as it goes.
    """
    cores = os.cpu_count() or 1
    if min(cores, len(katas)) < 2 or not hasattr(os, "fork"):
        return [_check(kata, fast, recheck, tell) for kata in katas]
    # A kata a core: within one kata much has to wait for its solution's run. The long ones first, so that
    # none is left over at the end.
    warm()
    order = sorted(range(len(katas)), key=lambda number: -len(declared.files(katas[number].mutants)))
    one = functools.partial(_check, fast=fast, recheck=recheck, tell=tell, workers=math.ceil(cores / len(katas)))
    with multiprocessing.get_context("fork").Pool(min(cores, len(katas)), _be_a_worker) as pool:
        found = pool.map(one, [katas[number] for number in order], chunksize=1)
    return [found[order.index(number)] for number in range(len(katas))]


def _be_a_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears of it too, and ends this process
    leave_on_sigterm()


def _check(kata: Kata, fast: bool, recheck: bool, tell: Callable[[str], None], workers: int | None = None) -> Checked:
    found: list[str] = []
    if missing := kata.missing():
        found.append(f"missing: {', '.join(path.as_posix() for path in missing)}.")
    if not (kata.test_file.is_file() and kata.solution.is_file()):
        return Checked(kata, None, None, (), (), None, tuple(found))
    tell(f"{kata.name}: stub and solution")
    [solution] = run_solutions([kata], workers)
    found += verdicts.solution(solution)
    stub = _stub(kata, found, workers)
    mutants = _mutants(kata, solution, found, tell, workers)
    alternatives = _alternatives(kata, found, tell, workers)
    found += _texts(kata, mutants)
    scored = None
    if solution.green and not fast:
        tell(f"{kata.name}: mutation score")
        try:
            scored = score(kata, solution, workers=workers, recheck=recheck)
            found += score_complaints(scored)
        except SurvivorsError as error:
            found.append(str(error))
    return Checked(kata, stub, solution, tuple(mutants), tuple(alternatives), scored, tuple(found))


def _stub(kata: Kata, found: list[str], workers: int | None) -> RunResult | None:
    try:
        [stub] = run_stubs([kata], workers)
        found += verdicts.stub(stub)
        if kata.stub.is_file() and not is_pristine(kata):
            found.append(f"the stub is not what its solution implies: `dojo author stubs {kata.name}`.")
    except StubError as error:
        found.append(str(error))
        return None
    return stub


def _mutants(
    kata: Kata, solution: RunResult, found: list[str], tell: Callable[[str], None], workers: int | None
) -> list[tuple[Mutant, RunResult]]:
    tell(f"{kata.name}: mutants")
    try:
        results = run_mutants(kata, solution, workers=workers)
    except (DeclarationError, RunnerError) as error:
        found.append(str(error))
        return []
    if len(results) < verdicts.MIN_MUTANTS:
        found.append(f"{len(results)} mutants; a kata has at least {verdicts.MIN_MUTANTS}.")
    for mutant, result in results:
        found += verdicts.mutant(mutant, result)
    return results


def _alternatives(
    kata: Kata, found: list[str], tell: Callable[[str], None], workers: int | None
) -> list[tuple[Alternative, RunResult]]:
    tell(f"{kata.name}: alternatives")
    try:
        results = run_alternatives(kata, workers)
    except (DeclarationError, RunnerError) as error:
        found.append(str(error))
        return []
    if len(results) < verdicts.MIN_ALTERNATIVES:
        found.append(f"{len(results)} alternatives; a kata has at least {verdicts.MIN_ALTERNATIVES}.")
    for alternative, result in results:
        found += verdicts.alternative(alternative, result)
    return results


def _texts(kata: Kata, mutants: Sequence[tuple[Mutant, RunResult]]) -> list[str]:
    if not (kata.readme.is_file() and kata.hints.is_file()):
        return []
    try:
        return brief.complaints(kata, tuple(mutant.trap for mutant, _ in mutants))
    except SyntaxError as error:
        return [f"{kata.test_file.name} line {error.lineno}: {error.msg}."]
