"""The mutation score: how many small faults in a solution the kata's tests notice."""

from __future__ import annotations

import difflib
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dojo.author import survivors
from dojo.author.mutations import Mutation, mutations
from dojo.catalog import Kata
from dojo.runner import Job, Limits, RunResult, run_variants

GOAL = 0.95


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutation that no test noticed."""

    mutation: Mutation
    why: str
    """The explanation from the kata's list; empty if nobody has given one."""


@dataclass(frozen=True, slots=True)
class Score:
    """What became of a solution's mutations."""

    kata: str
    killed: int
    unexplained: tuple[Survivor, ...]
    explained: tuple[Survivor, ...]
    stale: tuple[str, ...]
    """Entries of the kata's list that explain nothing: the mutation dies, is gone, or its line has changed."""
    cpu_seconds: float

    @property
    def total(self) -> int:
        """All mutations but those explained."""
        return self.killed + len(self.unexplained)

    @property
    def ratio(self) -> float:
        return self.killed / self.total if self.total else 1.0

    @property
    def good(self) -> bool:
        return self.ratio >= GOAL


def score(kata: Kata, solution: RunResult, *, workers: int | None = None, recheck: bool = True) -> Score:
    """Runs the kata's tests on every mutation of its solution.

    An explained survivor passes all tests, so it is the dearest kind; without `recheck` the list's word is
    taken for those whose line still stands as it was read. `no_longer_surviving` is the other half.

    `solution` is a green run of the unmutated solution: it says which tests are quick, so that most
    mutations die within milliseconds, and how long a run may take before it counts as endless.
    Raises SurvivorsError if the list of explained survivors is wrong.
    """
    source = kata.solution.read_text(encoding="utf-8")
    found = mutations(source)
    explained = _explained(kata, source, found)
    results = _results(kata, solution, source, [one for one in found if recheck or one not in explained], workers)
    survived = {mutation for mutation, result in results if result.green}
    kept = [Survivor(one, why) for one, why in explained.items() if one in survived or not recheck]
    return Score(
        kata=kata.name,
        killed=len(results) - len(survived),
        unexplained=tuple(Survivor(one, "") for one in found if one in survived and one not in explained),
        explained=tuple(kept),
        stale=tuple(key for key in survivors.read(kata) if key not in {one.mutation.id for one in kept}),
        cpu_seconds=round(sum(result.cpu_seconds for _, result in results), 3),
    )


def no_longer_surviving(kata: Kata, solution: RunResult, *, workers: int | None = None) -> list[str]:
    """The entries of the kata's list that explain nothing, by running what they explain and nothing else.

    Raises SurvivorsError if the list is wrong.
    """
    source = kata.solution.read_text(encoding="utf-8")
    explained = _explained(kata, source, mutations(source))
    results = _results(kata, solution, source, list(explained), workers)
    used = {mutation.id for mutation, result in results if result.green}
    return [key for key in survivors.read(kata) if key not in used]


def _explained(kata: Kata, source: str, found: Sequence[Mutation]) -> dict[Mutation, str]:
    """The explanations that fit: of a mutation whose line is still what it was."""
    explanations = survivors.read(kata)
    lines = source.splitlines()
    fitting = {}
    for mutation in found:
        given = explanations.get(mutation.id)
        if given is not None and given.was == lines[mutation.line - 1].strip():
            fitting[mutation] = given.why
    return fitting


def _results(
    kata: Kata, solution: RunResult, source: str, found: Sequence[Mutation], workers: int | None
) -> list[tuple[Mutation, RunResult]]:
    if not found:
        return []
    # A mutation may well make a loop endless; three times the solution's time is generous for a run that ends.
    limits = Limits(wall_seconds=60.0, cpu_seconds=max(1, math.ceil(3 * solution.cpu_seconds)))
    quickest_first = [test.name for test in sorted(solution.tests, key=lambda test: test.seconds)]
    with tempfile.TemporaryDirectory(prefix="dojo-mutations-") as directory:
        jobs = []
        for number, mutation in enumerate(found):
            path = _write(Path(directory), number, kata, mutation.apply(source))
            jobs.append(Job.of(kata, path, stop_at_first=True, only=quickest_first, limits=limits))
        results = run_variants(kata.solution, jobs, workers, any_order=True)
    return list(zip(found, results, strict=True))


def _write(directory: Path, number: int, kata: Kata, text: str) -> Path:
    path = directory / f"m{number}" / f"{kata.name}.py"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


def diff(mutation: Mutation, source: str, name: str) -> str:
    """A unified diff of the mutated line, without context."""
    before, after = source.splitlines(), mutation.apply(source).splitlines()
    lines = difflib.unified_diff(before, after, name, f"{name} ({mutation.id})", n=0, lineterm="")
    return "\n".join(lines)
