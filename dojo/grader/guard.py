"""Before anybody is graded: which confinement this machine allows, and whether the grader tells right from wrong."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import dojo
from dojo.catalog import Kata
from dojo.grader.cell import Setting
from dojo.grader.confine import kernel
from dojo.grader.confine.cage import Bars, Tier
from dojo.grader.confine.probes import probe
from dojo.grader.confine.users import claimed
from dojo.grader.crew import Cell, CellDied, Crew, Exam, Patience, judge
from dojo.grader.model import Expected, GraderError, Inventory, TestVerdict, Verdict
from dojo.grader.trusted import TestFile
from dojo.grader.verdict import Mixed

_NOTHING = Mixed((), MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Confinement:
    """What was achieved."""

    bars: Bars
    not_enforced: tuple[str, ...]
    """What a submission could do all the same."""

    @property
    def tier(self) -> Tier:
        return self.bars.tier


def confine(
    setting: Setting, wanted: Tier | None, file: TestFile, secret: Sequence[Path], tell: Callable[[str], None]
) -> Confinement:
    """The tightest confinement that works here, or the wanted one. `setting` says how tight bars are apart from that.

    `secret` is what nobody should be able to read. Raises GraderError if the wanted tier does not work.
    """
    reasons = []
    for bars in _candidates(setting.bars, wanted):
        try:
            return _try(replace(setting, bars=bars), file, secret)
        except (CellDied, ValueError, GraderError) as error:
            reasons.append(f"{bars.tier}{'' if bars.uid is None else f' as user {bars.uid}'}: {error}")
            tell(f"confinement {reasons[-1]}")
    raise GraderError(
        f"submissions cannot be confined here. {'; '.join(reasons)}. Grade on Linux with user namespaces, or as a "
        "machine's only user with --confinement process (or none, for people whom you trust)."
    )


def _candidates(bars: Bars, wanted: Tier | None) -> list[Bars]:
    if wanted == "none":
        return [replace(bars, tier="none", uid=None)]
    uid = claimed() if hasattr(os, "getuid") and os.getuid() == 0 else None
    found = []
    if wanted in (None, "namespaces") and kernel.LINUX:
        found.append(replace(bars, tier="namespaces", uid=uid))
    if wanted in (None, "process"):
        users = (uid, None) if _others_can_import() else (None,)
        found += [replace(bars, tier="process", uid=each) for each in dict.fromkeys(users)]
    return found


def _others_can_import() -> bool:
    """Whether another user may read this Python and its libraries: one under /root is root's alone."""
    places = {Path(path).resolve() for path in (sys.prefix, sys.base_prefix, dojo.__file__)}
    return all(part.stat().st_mode & 0o001 for place in places for part in place.parents if part.exists())


def _try(setting: Setting, file: TestFile, secret: Sequence[Path]) -> Confinement:
    # Nobody's time is measured here.
    limits = replace(setting.limits, wall_seconds=60.0, cpu_seconds=60)
    with Cell(replace(setting, limits=limits)) as cell:
        kept = [*secret, Path(setting.trusted), Path("/tmp"), Path.home()]
        found = probe(
            lambda source: cell.run(file, source, _NOTHING).output,
            secret=secret,
            kept=kept,
            processes=setting.bars.processes,
            memory=setting.limits.memory_bytes,
        )
    if setting.bars.tier == "namespaces" and not found.tight:
        raise GraderError(f"namespaces do not prevent a submission to {' or to '.join(found.possible)}")
    return Confinement(setting.bars, found.possible)


@dataclass(frozen=True, slots=True)
class Checked:
    """The katas' tests, known to tell right from wrong here."""

    exams: Mapping[str, tuple[Exam, ...]]
    """By a kata's name: its files of tests, the instructor's own last."""

    @property
    def inventory(self) -> Inventory:
        return {
            kata: tuple(Expected(test.name, test.rule, test.text, test.hidden) for exam in exams for test in exam.tests)
            for kata, exams in self.exams.items()
        }


def check(crew: Crew, root: Path, katas: Sequence[Kata], files: Sequence[TestFile], patience: Patience) -> Checked:
    """Collects the inventory, and sees that a stub and an empty file earn nothing and the reference all there is.

    `root` is the trusted tree. Where there are no solutions, there is no reference to try. Raises GraderError.
    """

    def of_one(cell: Cell, kata: Kata) -> tuple[Exam, ...]:
        return check_one(cell, root, kata, files, patience)

    exams: dict[str, tuple[Exam, ...]] = {}
    for done in crew.each(of_one, katas, lambda kata: kata.name):
        if done.result is None:
            raise GraderError(
                f"the grader does not tell right from wrong here, so it grades nobody. {done.error}"
            ) from done.error
        exams[done.item.name] = done.result
    return Checked({kata.name: exams[kata.name] for kata in katas})


def check_one(cell: Cell, root: Path, kata: Kata, files: Sequence[TestFile], patience: Patience) -> tuple[Exam, ...]:
    """The same for one kata. Raises GraderError or CellDied."""
    stub = (root / kata.stub.relative_to(kata.root)).read_bytes()
    exams = tuple(_exam(cell, file, stub) for file in files if file.kata == kata.name)
    _distinct(exams)
    chance = random.Random()
    verdict = judge(cell, exams, b"", patience, chance)
    if any(test.status == "passed" for test in verdict.tests) or verdict.status in ("passed", "ungraded"):
        raise GraderError(f"{kata.name}: an empty file would be {verdict.status}: {_why(verdict)}")
    if kata.solution.is_file():
        verdict = judge(cell, exams, kata.solution.read_bytes(), patience, chance)
        if verdict.status != "passed":
            raise GraderError(f"{kata.name}: the reference would be {verdict.status}: {_why(verdict)}")
    return exams


def _exam(cell: Cell, file: TestFile, stub: bytes) -> Exam:
    """What a file of tests asks, by collecting it on the stub, which it must reject from end to end."""
    result = cell.run(file, stub, _NOTHING)
    if passing := [test.name for test in result.tests if test.passed]:
        raise GraderError(f"{file.path}: {', '.join(passing)} passes on the stub, so it would be given away.")
    if result.status != "red" or not result.tests:
        raise GraderError(f"{file.path} cannot be run: {result.detail}")
    tests = (TestVerdict(test.name, test.rule, test.text, "error", hidden=file.hidden) for test in result.tests)
    return Exam(file, tuple(tests))


def _distinct(exams: Sequence[Exam]) -> None:
    seen: set[str] = set()
    for exam in exams:
        for test in exam.tests:
            if test.name in seen:
                raise GraderError(f"{exam.file.path}: there already is a test {test.name}. Give yours another name.")
            seen.add(test.name)


def _why(verdict: Verdict) -> str:
    return verdict.message or ", ".join(test.name for test in verdict.tests if test.status == "passed")
