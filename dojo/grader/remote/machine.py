"""A worker's own tests, cells and confinement: what it brings along, and whether that fits what it is asked."""

from __future__ import annotations

import os
import random
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from dojo.catalog import Catalog, Kata
from dojo.grader import config, trusted
from dojo.grader.bounds import secret_of, setting_of
from dojo.grader.cell import Setting
from dojo.grader.confine.cage import Tier
from dojo.grader.confine.users import EACH
from dojo.grader.crew import Cell, CellDied, Crew, Exam, Patience, judge
from dojo.grader.guard import Confinement, check, check_one, confine
from dojo.grader.model import GraderError, Verdict
from dojo.grader.remote.wire import Assignment


class Unfit(Exception):
    """This machine must not grade that; another one might. The message names the remedy."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found out once, before any work: shared by the processes of a worker."""

    catalog: Catalog
    katas: Mapping[str, Kata]
    workspace: Path
    """Everything that is made for grading is in here."""
    tree: Path
    exams: Mapping[str, tuple[Exam, ...]]
    """Of the repository's own tests, known to tell right from wrong here."""
    confinement: Confinement
    secret: tuple[Path, ...]
    lab: str

    @classmethod
    def prepare(
        cls,
        catalog: Catalog,
        katas: tuple[Kata, ...],
        workspace: Path,
        cells: int,
        wanted: Tier | None,
        tell: Callable[[str], None],
    ) -> Machine:
        """Finds the confinement and checks all katas, in the empty directory `workspace`. Raises GraderError."""
        if cells > EACH:
            raise GraderError(f"--cells {cells}: {EACH} is the most for one worker. Start a second one.")
        workspace.chmod(0o711)  # another user has to get through, and to see nothing on the way
        tree = workspace / "trusted"
        tree.mkdir()
        files = tuple(trusted.build(tree, catalog, katas))
        secret = secret_of(catalog.root)
        limits = config.Limits()
        setting = setting_of(tree, (catalog.root, *secret), limits)
        confinement = confine(setting, wanted, files[0], secret, tell)
        lab = trusted.lab_version()
        with Crew(replace(setting, bars=confinement.bars), cells) as crew:
            checked = check(crew, tree, katas, files, Patience(limits.kata_seconds))
        names = {kata.name: kata for kata in katas}
        return cls(catalog, names, workspace, tree, checked.exams, confinement, secret, lab)


class Desk:
    """Where one process of a worker grades: one cell, for one set of limits and hidden tests at a time."""

    def __init__(self, machine: Machine, number: int) -> None:
        """`number` tells the cells of a worker apart, from 0."""
        self._machine = machine
        self._number = number
        self._stack = ExitStack()
        self._laid_out: tuple[object, ...] = ()
        self._cell: Cell | None = None
        self._exams: Mapping[str, tuple[Exam, ...]] = {}

    def close(self) -> None:
        self._stack.close()
        self._laid_out = ()

    def grade(self, asked: Assignment) -> Verdict:
        """The verdict. Raises Unfit."""
        self._see_that_it_fits(asked)
        patience = Patience(asked.limits.kata_seconds)
        cell, exams = self._prepared(asked, patience)
        if tuple(exam.file.digest for exam in exams) != asked.digests:
            raise Unfit(f"this worker has other tests of {asked.kata}. Update it: `git pull`, and start it again.")
        return judge(cell, exams, asked.source, patience, random.Random())

    def _see_that_it_fits(self, asked: Assignment) -> None:
        if asked.kata not in self._machine.katas:
            raise Unfit(f"this worker has no {asked.kata}. Update it: `git pull`, and start it without --katas.")
        # Its cells are started from what is on disk now, whatever it was when the worker was.
        if trusted.lab_version() != asked.lab or self._machine.lab != asked.lab:
            raise Unfit(
                "this worker has another lab: another Python, other libraries or another version of the dojo. Update "
                "it to what the asking machine has (`git pull`, `uv sync`), and start it again."
            )

    def _prepared(self, asked: Assignment, patience: Patience) -> tuple[Cell, tuple[Exam, ...]]:
        laid_out = (asked.limits, asked.hidden, asked.kata if asked.hidden is not None else "")
        if laid_out != self._laid_out:
            self.close()
            try:
                self._lay_out(asked, patience)
            except (GraderError, CellDied) as error:
                self.close()
                raise Unfit(f"this worker does not tell right from wrong: {error}") from error
            self._laid_out = laid_out
        assert self._cell is not None
        return self._cell, self._exams[asked.kata]

    def _lay_out(self, asked: Assignment, patience: Patience) -> None:
        machine = self._machine
        tree, files = machine.tree, []
        if asked.hidden is not None:
            place = Path(tempfile.mkdtemp(dir=machine.workspace, prefix="hidden-"))
            self._stack.callback(shutil.rmtree, place, ignore_errors=True)
            place.chmod(0o711)
            own, tree = place / "own", place / "trusted"
            own.mkdir(mode=0o700)
            tree.mkdir()
            kata = machine.katas[asked.kata]
            (own / kata.test_file.name).write_bytes(asked.hidden)
            files = trusted.build(tree, machine.catalog, [kata], own)
        setting = setting_of(tree, (machine.catalog.root, *machine.secret), asked.limits)
        self._cell = self._stack.enter_context(Cell(self._behind_bars(setting)))
        if files:
            kata = machine.katas[asked.kata]
            self._exams = {asked.kata: check_one(self._cell, tree, kata, files, patience)}
        else:
            self._exams = machine.exams

    def _behind_bars(self, setting: Setting) -> Setting:
        found = self._machine.confinement.bars
        uid = None if found.uid is None else found.uid + self._number
        return replace(setting, bars=replace(setting.bars, tier=found.tier, uid=uid))


def name_of_worker() -> str:
    """Machine and process, for people."""
    return f"{socket.gethostname()}:{os.getpid()}"
