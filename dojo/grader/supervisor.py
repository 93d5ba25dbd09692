"""One batch from end to end: what was handed in is found, graded, kept, and written into the book.

Everything is in the journal the moment it is known, so a batch that is ended at any point goes on where it stopped when
it is started again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dojo.catalog import Catalog, Kata
from dojo.grader import scoring, trusted
from dojo.grader.book import write_book
from dojo.grader.bounds import secret_of, setting_of
from dojo.grader.cell import Setting
from dojo.grader.config import Config
from dojo.grader.confine.cage import Tier
from dojo.grader.confine.users import EACH
from dojo.grader.crew import Cell, Crew, Patience, judge
from dojo.grader.guard import Checked, Confinement, check, confine
from dojo.grader.intake import Roster, submissions
from dojo.grader.journal import Entry, Journal
from dojo.grader.model import GraderError, Report, Submission, Verdict
from dojo.grader.workspace import workspace

if TYPE_CHECKING:
    from dojo.grader.remote.asking import Line

JOURNAL = "journal.sqlite3"
"""Relative to the book."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the instructor asks for."""

    folder: Path
    book: Path
    katas: tuple[Kata, ...]
    config: Config
    roster: Roster | None = None
    cells: int = 1
    confinement: Tier | None = None
    """None for the tightest that works here."""
    regrade: tuple[str, ...] = ()
    """Students, katas or student/kata that are to be graded again; `all` for everybody."""
    queue: str | None = None
    """The broker's URL if workers are to run the submissions, and not this machine."""


@dataclass(frozen=True, slots=True)
class Task:
    """One file to grade, whoever handed it in."""

    kata: str
    key: str
    sha: str
    students: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What grading again has changed."""

    student: str
    kata: str
    before: Verdict
    after: Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished batch."""

    report: Report
    changes: tuple[Change, ...]
    graded: int
    """Files that were run now; the others had their verdict already."""

    @property
    def ungraded(self) -> tuple[str, ...]:
        """`student/kata` for all that could not be graded."""
        return tuple(
            f"{student.name}/{kata.verdict.kata}"
            for student in self.report.students
            for kata in student.katas
            if kata.verdict.status == "ungraded"
        )


class Listener(Protocol):
    """Hears how a batch goes."""

    def said(self, text: str) -> None:
        """Something that people may want to know."""

    def found(self, entry: Entry) -> None:
        """A student's submission was read."""

    def begins(self, tasks: int, kept: int) -> None:
        """So many files are going to be run; so many have their verdict already."""

    def done(self, task: Task, verdict: Verdict) -> None:
        """One of them is graded, and the verdict is kept."""


class Source(Protocol):
    """Where verdicts come from."""

    def verdicts(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Verdict]]:
        """Each task with its verdict, in any order. Asking for the next pair says that the last one is kept."""

    @property
    def achieved(self) -> Achieved:
        """How submissions are confined there."""


class Achieved(Protocol):
    """What a report says of confinement."""

    @property
    def tier(self) -> Tier: ...

    @property
    def not_enforced(self) -> tuple[str, ...]: ...


def grade(order: Order, catalog: Catalog, listener: Listener) -> Outcome:
    """Does the whole batch. Raises GraderError for what only the instructor can put right."""
    with (
        Journal(order.book / JOURNAL, tell=listener.said) as journal,
        _line(order, journal, listener) as line,
        workspace("grade") as place,
    ):
        bench = Bench.prepare(order, catalog, place, listener)
        with bench.crew(order.cells) as crew:
            checked = check(crew, bench.tree, order.katas, bench.files, bench.patience)
            order.config.check(checked.inventory)
            entries = enter(order, journal, bench, listener)
            before = _before(order, entries, journal)
            tasks = plan(entries, journal, again=set(before))
            planned = {key for entry in entries for key in entry.keys.values()}
            listener.begins(len(tasks), len(planned) - len(tasks))
            source: Source
            if line is None:
                source = _Here(crew, journal, bench, checked)
            else:
                source = line.agree(bench, checked.inventory, order.config, before)
            for task, verdict in source.verdicts(tasks):
                kept = journal.record(task.key, verdict, regrade=task.key in before)
                listener.done(task, kept)
        report = report_of(order, journal, checked, source.achieved)
        write_book(report, order.book)
        return Outcome(report, _changes(before, entries, journal), len(tasks))


class _Here:
    """This machine's own cells."""

    def __init__(self, crew: Crew, journal: Journal, bench: Bench, checked: Checked) -> None:
        journal.set_meta("tier", bench.confinement.tier)
        self.achieved = bench.confinement
        self._crew = crew
        self._journal = journal
        self._bench = bench
        self._checked = checked

    def verdicts(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Verdict]]:
        for done in self._crew.each(self._judged, tasks, lambda task: task.kata):
            if done.error is not None:
                raise done.error
            assert done.result is not None
            yield done.item, done.result

    def _judged(self, cell: Cell, task: Task) -> Verdict:
        source = self._journal.source(task.sha)
        return judge(cell, self._checked.exams[task.kata], source, self._bench.patience, random.Random())


def _line(order: Order, journal: Journal, listener: Listener) -> AbstractContextManager[Line | None]:
    if order.queue is None:
        return nullcontext()
    from dojo.grader.remote.asking import Line  # Celery takes a while to import

    return Line(order.queue, journal, listener.said)


@dataclass(frozen=True, slots=True)
class Bench:
    """The trusted tree, and how submissions are confined in it."""

    tree: Path
    files: tuple[trusted.TestFile, ...]
    setting: Setting
    confinement: Confinement
    patience: Patience
    lab: str

    @classmethod
    def prepare(cls, order: Order, catalog: Catalog, workspace: Path, listener: Listener) -> Bench:
        """Builds the tree in the empty directory `workspace` and finds out what confinement works here."""
        workspace.chmod(0o711)  # another user has to get through, and to see nothing on the way
        tree = workspace / "trusted"
        tree.mkdir()
        files = tuple(trusted.build(tree, catalog, order.katas, order.config.hidden))
        secret = tuple(_secret(catalog, order))
        setting = setting_of(tree, (catalog.root, *secret), order.config.limits)
        if order.queue is None:
            confinement = confine(setting, order.confinement, files[0], secret, listener.said)
        else:
            confinement = Confinement(setting.bars, ())  # nothing that was handed in runs here
        return cls(
            tree,
            files,
            replace(setting, bars=confinement.bars),
            confinement,
            Patience(order.config.limits.kata_seconds),
            trusted.lab_version(),
        )

    def crew(self, size: int) -> Crew:
        return Crew(self.setting, size)

    def key(self, kata: str, source: bytes) -> str:
        """What the verdict on a file is kept under."""
        files = [file for file in self.files if file.kata == kata]
        settings = {**asdict(self.setting.limits), "kata_seconds": self.patience.kata_seconds}
        return trusted.key(source, files, self.lab, settings)


def _secret(catalog: Catalog, order: Order) -> list[Path]:
    """Directories and files that no submission has any business in."""
    own = [order.book, order.folder, *([order.config.hidden] if order.config.hidden is not None else [])]
    return [*secret_of(catalog.root), *(path.resolve() for path in own if path.exists())]


def enter(order: Order, journal: Journal, bench: Bench, listener: Listener) -> list[Entry]:
    """Reads all submissions into the journal."""
    entries = []
    for submission in submissions(order.folder, order.katas, order.roster):
        entry = _entry(submission, journal, bench, order.katas)
        listener.found(entry)
        entries.append(entry)
    journal.begin(entries)
    return entries


def _entry(submission: Submission, journal: Journal, bench: Bench, katas: Sequence[Kata]) -> Entry:
    names = [kata.name for kata in katas if kata.name in submission.files]
    return Entry(
        name=submission.name,
        origin=submission.origin,
        roster_id=submission.roster_id,
        notes=submission.notes,
        trouble=submission.trouble,
        refused=submission.refused,
        sources={name: journal.keep_source(submission.files[name]) for name in names},
        keys={name: bench.key(name, submission.files[name]) for name in names},
    )


def plan(entries: Sequence[Entry], journal: Journal, again: set[str]) -> list[Task]:
    """What has to be run: each file once, however many handed it in; one kata's files after another's."""
    tasks: dict[str, Task] = {}
    for entry in entries:
        for kata, key in entry.keys.items():
            if key in tasks:
                tasks[key] = replace(tasks[key], students=(*tasks[key].students, entry.name))
            elif key in again or not journal.graded(key):
                tasks[key] = Task(kata, key, entry.sources[kata], (entry.name,))
    order = list(dict.fromkeys(task.kata for task in tasks.values()))
    return sorted(tasks.values(), key=lambda task: order.index(task.kata))


def _before(order: Order, entries: Sequence[Entry], journal: Journal) -> dict[str, Verdict]:
    """The verdicts that are to be made again, by their keys."""
    if not order.regrade:
        return {}
    found: dict[str, Verdict] = {}
    used: set[str] = set()
    for entry in entries:
        for kata, key in entry.keys.items():
            wanted = {"all", entry.name, kata, f"{entry.name}/{kata}"} & set(order.regrade)
            used |= wanted
            verdict = journal.verdict(key) if wanted else None
            if verdict is not None:
                found[key] = verdict
    if unknown := [selector for selector in order.regrade if selector not in used]:
        raise GraderError(f"--regrade {unknown[0]}: no student, kata or student/kata of this book is called so.")
    return found


def _changes(before: Mapping[str, Verdict], entries: Sequence[Entry], journal: Journal) -> tuple[Change, ...]:
    found = []
    for entry in entries:
        for kata, key in entry.keys.items():
            after = journal.verdict(key)
            if key in before and after is not None and _told(before[key]) != _told(after):
                found.append(Change(entry.name, kata, before[key], after))
    return tuple(found)


def _told(verdict: Verdict) -> tuple[object, ...]:
    """What of a verdict matters to a student."""
    return verdict.status, tuple((test.name, test.status) for test in verdict.tests)


def report_of(order: Order, journal: Journal, checked: Checked, achieved: Achieved) -> Report:
    """The book, from what the journal holds."""
    names = [kata.name for kata in order.katas]
    students = []
    for entry in journal.entries():
        verdicts = {name: _verdict(entry, name, journal) for name in names}
        flags = [f"could not be read: {entry.trouble}"] if entry.trouble else []
        students.append(scoring.grade(entry, verdicts, names, checked.inventory, order.config, flags))
    return scoring.report(students, names, order.config, tier=achieved.tier, not_enforced=achieved.not_enforced)


def _verdict(entry: Entry, kata: str, journal: Journal) -> Verdict:
    if entry.trouble or kata in entry.refused:
        return Verdict(kata, "refused", entry.trouble or entry.refused[kata])
    if kata not in entry.keys:
        return Verdict(kata, "missing", f"nothing was handed in: there is no {kata}.py.")
    found = journal.verdict(entry.keys[kata])
    return found if found is not None else Verdict(kata, "ungraded", "not graded yet: start `dojo grade` again.")


def cores() -> int:
    """How many cells there should be, if nobody says."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(found, EACH)
