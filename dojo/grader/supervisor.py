"""One batch from end to end: what was handed in is found, graded, kept, and written into the book.

Everything is in the journal the moment it is known, so a batch that is ended at any point goes on where it stopped when
it is started again.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from dojo.catalog import HOME, Catalog, Kata
from dojo.grader import scoring, trusted
from dojo.grader.book import write_book
from dojo.grader.cell import Setting
from dojo.grader.config import Config
from dojo.grader.confine.cage import Bars, Tier
from dojo.grader.crew import Cell, Crew, Patience, judge
from dojo.grader.guard import Checked, Confinement, check, confine
from dojo.grader.intake import Roster, submissions
from dojo.grader.journal import Entry, Journal
from dojo.grader.model import GraderError, Report, Submission, Verdict
from dojo.runner import Limits

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


def grade(order: Order, catalog: Catalog, listener: Listener) -> Outcome:
    """Does the whole batch. Raises GraderError for what only the instructor can put right."""
    with (
        Journal(order.book / JOURNAL, tell=listener.said) as journal,
        tempfile.TemporaryDirectory(prefix="dojo-grade-") as workspace,
    ):
        bench = Bench.prepare(order, catalog, Path(workspace), listener)
        with bench.crew(order.cells) as crew:
            checked = check(crew, bench.tree, order.katas, bench.files, bench.patience)
            order.config.check(checked.inventory)
            journal.set_meta("tier", bench.confinement.tier)
            entries = enter(order, journal, bench, listener)
            before = _before(order, entries, journal)
            tasks = plan(entries, journal, again=set(before))
            planned = {key for entry in entries for key in entry.keys.values()}
            listener.begins(len(tasks), len(planned) - len(tasks))

            def work(cell: Cell, task: Task) -> Verdict:
                source = journal.source(task.sha)
                return judge(cell, checked.exams[task.kata], source, bench.patience, random.Random())

            for done in crew.each(work, tasks):
                if done.error is not None:
                    raise done.error
                assert done.result is not None
                kept = journal.record(done.item.key, done.result, regrade=done.item.key in before)
                listener.done(done.item, kept)
        report = report_of(order, journal, checked, bench.confinement)
        write_book(report, order.book)
        return Outcome(report, _changes(before, entries, journal), len(tasks))


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
        asked = order.config.limits
        limits = Limits(
            wall_seconds=asked.wall_seconds,
            cpu_seconds=asked.cpu_seconds,
            output_bytes=asked.output_kb << 10,
            memory_bytes=asked.memory_mb << 20,
        )
        bars = Bars("none", processes=asked.processes, disk_bytes=asked.disk_mb << 20)
        secret = _secret(catalog, order)
        hidden = (catalog.root, *secret)
        setting = Setting(str(tree), tuple(str(path) for path in hidden if path.is_dir()), "", bars, limits)
        confinement = confine(setting, order.confinement, files[0], secret, listener.said)
        return cls(
            tree,
            files,
            replace(setting, bars=confinement.bars),
            confinement,
            Patience(asked.kata_seconds),
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
    found = [*(catalog.root / part for part in ("solutions", "tests", ".git", HOME)), order.book, order.folder]
    found += [order.config.hidden] if order.config.hidden is not None else []
    return [path.resolve() for path in found if path.exists()]


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


def report_of(order: Order, journal: Journal, checked: Checked, confinement: Confinement) -> Report:
    """The book, from what the journal holds."""
    names = [kata.name for kata in order.katas]
    students = []
    for entry in journal.entries():
        verdicts = {name: _verdict(entry, name, journal) for name in names}
        flags = [f"could not be read: {entry.trouble}"] if entry.trouble else []
        students.append(scoring.grade(entry, verdicts, names, checked.inventory, order.config, flags))
    return scoring.report(students, names, order.config, tier=confinement.tier, not_enforced=confinement.not_enforced)


def _verdict(entry: Entry, kata: str, journal: Journal) -> Verdict:
    if entry.trouble or kata in entry.refused:
        return Verdict(kata, "refused", entry.trouble or entry.refused[kata])
    if kata not in entry.keys:
        return Verdict(kata, "missing", f"nothing was handed in: there is no {kata}.py.")
    found = journal.verdict(entry.keys[kata])
    return found if found is not None else Verdict(kata, "ungraded", "not graded yet: start `dojo grade` again.")


def cores() -> int:
    """How many cells there should be, if nobody says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
