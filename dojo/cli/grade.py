"""`dojo grade`: a folder of submissions in, a gradebook out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dojo.catalog import Catalog, Kata
from dojo.cli.terminal import GREEN, TOOL_FAILED, USAGE, catalog, complain, console, fail, say

if TYPE_CHECKING:
    from dojo.grader.journal import Entry
    from dojo.grader.model import Verdict
    from dojo.grader.supervisor import Change, Order, Outcome, Task

_GOOD_MANNERS_S = 5.0
"""Between two lines about progress where there is no bar."""

Folder = Annotated[Path | None, typer.Argument(metavar="DIR", help="A directory or archive with one entry a student.")]


def grade(
    folder: Folder = None,
    book: Annotated[Path | None, typer.Option("--out", metavar="BOOK", help="Default: DIR-book, beside DIR.")] = None,
    katas: Annotated[
        list[str] | None,
        typer.Option("--katas", metavar="KATA", help="A kata or a track; several with commas, or again. All if none."),
    ] = None,
    track: Annotated[str | None, typer.Option(metavar="TRACK", help="All katas of one track.")] = None,
    roster: Annotated[Path | None, typer.Option(metavar="CSV", help="Who is in the class, with their ids.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="TOML", help="Weights, limits, feedback. Default: grading.toml here, if any.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, metavar="N", help="Side by side. Default: one a core.")
    ] = None,
    confinement: Annotated[
        str | None, typer.Option(metavar="TIER", help="namespaces, process or none. Default: the tightest that works.")
    ] = None,
    regrade: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT", help="Grade again: a student, a kata, student/kata, or all. Shows what changed."),
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Only say how far the book is.")] = False,
    init: Annotated[bool, typer.Option("--init", help="Only write a commented grading.toml here.")] = False,
    gradescope: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One submission: write its results.json for Gradescope there.")
    ] = None,
    classroom: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One submission: write GitHub Classroom's payload there.")
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Workers run them, not this machine: redis://…, amqp://… or @FILE. See `dojo worker`."
        ),
    ] = None,
    one: Annotated[bool, typer.Option("--one", help="DIR must be one student's work, not a class.")] = False,
    similar: Annotated[
        bool, typer.Option("--similarity", help="Grade nothing; list pairs of submissions that are worth a look.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: report.json on standard output.")] = False,
) -> None:
    """Run the trusted tests on every submission in DIR and write a gradebook.

    A submission is a directory or an archive; in it a clone, a katas/ tree or loose <kata>.py files. Each runs in a
    confined process that sees the tests and nothing else. Whatever ends this command, the same command goes on where
    it stopped. Exit code 0 when everything was graded, whatever the grades; 3 when something could not be.

    --similarity runs no code and grades nothing. It compares what was handed in, whatever its names, comments, layout
    and order, without the stub and the README's examples; what the reference solution or many in the class write
    counts little. It lists pairs from 80 % up, and from 50 % up if that stands out: more than three times the usual
    spread above the class' median. They stand side by side in similarity.html, and in similarity.json. A pair is worth
    a look; it proves nothing.

    \b
    Example:
      dojo grade submissions/ --roster class.csv
      dojo grade submissions.zip --katas rate_limiter --out book
      dojo grade submissions/ --regrade "Ann Lee/rate_limiter"
      dojo grade submissions/ --similarity
      dojo grade submissions/ --queue redis://:password@broker.example/0
    """
    from dojo.grader.model import GraderError

    try:
        if init:
            _initial()
            return
        if folder is None:
            fail("name the folder of submissions: `dojo grade DIR`. `dojo grade --help` says more.", USAGE)
        place = book if book is not None else folder.resolve().with_name(f"{folder.resolve().name}-book")
        if status:
            _status(place)
            return
        if similar:
            graders: dict[str, object] = {
                "--regrade": regrade,
                "--queue": queue,
                "--confinement": confinement,
                "--workers": workers,
                "--config": config,
                "--one": one,
                "--gradescope": gradescope,
                "--classroom": classroom,
            }
            for option in (option for option, value in graders.items() if value):
                fail(f"--similarity grades nothing, so {option} means nothing to it: leave one of them out.", USAGE)
        found = catalog()
        order = _order(found, folder, place, katas, track, roster, config, workers, confinement, regrade, queue)
        if similar:
            from dojo.cli.similarity import similarity

            similarity(folder, place, order.katas, order.roster, as_json=as_json)
            return
        if one or gradescope or classroom:
            _see_that_it_is_one(order)
        outcome = _graded(order, found, as_json)
    except GraderError as error:
        fail(str(error), TOOL_FAILED)
    _payloads(outcome, gradescope, classroom)
    _tell(outcome, place, as_json)
    raise typer.Exit(TOOL_FAILED if outcome.ungraded else GREEN)


def _initial() -> None:
    from dojo.grader.config import FILE
    from dojo.grader.init import write_initial

    write_initial(Path(FILE))
    say(f"wrote {FILE}: everything in it is commented out, so nothing has changed yet.")


def _order(
    found: Catalog,
    folder: Path,
    place: Path,
    katas: list[str] | None,
    track: str | None,
    roster: Path | None,
    config: Path | None,
    workers: int | None,
    confinement: str | None,
    regrade: list[str] | None,
    queue: str | None,
) -> Order:
    from dojo.grader.config import FILE, Config
    from dojo.grader.intake import Roster
    from dojo.grader.supervisor import Order, cores

    if confinement not in (None, "namespaces", "process", "none"):
        fail(f"--confinement {confinement}: there is namespaces, process and none.", USAGE)
    if confinement is not None and queue is not None:
        fail("--confinement is the workers' own with --queue: give it to `dojo worker`.", USAGE)
    if track is not None and track not in found.tracks:
        fail(f"--track {track}: there is {', '.join(found.tracks)}.", USAGE)
    chosen: tuple[Kata, ...] = found.select([*(katas or []), *([track] if track else [])] or found.tracks)
    here = Path(FILE)
    return Order(
        folder=folder,
        book=place,
        katas=chosen,
        config=Config.read(config or (here if here.is_file() else None), [kata.name for kata in found]),
        roster=Roster.read(roster) if roster is not None else None,
        cells=workers or cores(),
        confinement=confinement,  # type: ignore[arg-type]
        regrade=tuple(regrade or ()),
        queue=queue,
    )


def _see_that_it_is_one(order: Order) -> None:
    from dojo.grader.intake import look
    from dojo.grader.model import GraderError

    students = look(order.folder, order.katas, order.roster).students
    if len(students) != 1:
        raise GraderError(f"{order.folder} is not one student's work: it holds {len(students)} entries.")


def _status(place: Path) -> None:
    from dojo.grader.journal import Journal
    from dojo.grader.supervisor import JOURNAL

    with Journal(place / JOURNAL, reading=True) as journal:
        progress = journal.progress()
        tier = journal.meta("tier")
    last = f", the last one {progress.last.astimezone():%Y-%m-%d %H:%M:%S}" if progress.last else ""
    say(f"{progress.students} students, {progress.graded} of {progress.planned} files graded{last}")
    if progress.ungraded:
        say(f"{progress.ungraded} could not be graded; the same `dojo grade` tries them again.")
    if tier:
        say(f"confinement: {tier}")


def _graded(order: Order, found: Catalog, as_json: bool) -> Outcome:
    from dojo.grader.supervisor import grade as whole_batch

    with _listener(quiet=as_json) as listener:
        try:
            return whole_batch(order, found, listener)
        except KeyboardInterrupt:
            complain("\nstopped. What is graded is kept; the same command goes on from here.")
            raise typer.Exit(TOOL_FAILED) from None


class _Lines:
    """Progress as lines on standard error, for a log."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._students = 0
        self._total = 0
        self._done = 0
        self._begun = self._said_at = monotonic()

    def said(self, text: str) -> None:
        complain(text)

    def found(self, entry: Entry) -> None:
        self._students += 1
        for kata, why in entry.refused.items():
            self.said(f"{entry.name}: {kata} refused: {why}")
        if entry.trouble:
            self.said(f"{entry.name}: nothing could be read: {entry.trouble}")
        elif not entry.sources and not entry.refused:
            self.said(f"{entry.name}: nothing was handed in.")

    def begins(self, tasks: int, kept: int) -> None:
        self._total, self._begun = tasks, monotonic()
        if not self._quiet:
            already = f", {kept} more have their verdict already" if kept else ""
            complain(f"{self._students} students; {tasks} files to grade{already}")

    def done(self, task: Task, verdict: Verdict) -> None:
        self._done += 1
        if verdict.status == "ungraded":
            self.said(f"{', '.join(task.students)}: {task.kata} could not be graded: {verdict.message}")
        if not self._quiet and monotonic() - self._said_at > _GOOD_MANNERS_S:
            self._said_at = monotonic()
            left = (monotonic() - self._begun) / self._done * (self._total - self._done)
            complain(f"{self._done} of {self._total} graded, about {left:.0f} s to go")


class _Bar(_Lines):
    """The same on a terminal: a bar."""

    def __init__(self, progress: Any) -> None:
        super().__init__(quiet=True)
        self._progress = progress
        self._bar = progress.add_task("reading submissions", total=None)

    def said(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False, style="yellow")

    def found(self, entry: Entry) -> None:
        super().found(entry)
        self._progress.update(self._bar, description=f"{self._students} students read")

    def begins(self, tasks: int, kept: int) -> None:
        super().begins(tasks, kept)
        what = f"{self._students} students" + (f" ({kept} verdicts kept)" if kept else "")
        self._progress.reset(self._bar, total=tasks, description=what)

    def done(self, task: Task, verdict: Verdict) -> None:
        super().done(task, verdict)
        self._progress.advance(self._bar)


@contextmanager
def _listener(*, quiet: bool) -> Iterator[_Lines]:
    if quiet or not sys.stderr.isatty():
        yield _Lines(quiet=quiet)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)


def _payloads(outcome: Outcome, gradescope: Path | None, classroom: Path | None) -> None:
    from dojo.grader import book

    [*students] = outcome.report.students
    for path, payload in ((gradescope, book.gradescope), (classroom, book.classroom)):
        if path is not None:
            path.write_text(json.dumps(payload(outcome.report, students[0]), indent=1) + "\n", encoding="utf-8")


def _tell(outcome: Outcome, place: Path, as_json: bool) -> None:
    from dojo.grader.book.terminal import table

    if as_json:
        say((place / "report.json").read_text(encoding="utf-8"))
        return
    screen = console()
    narrow = screen.width if screen.is_terminal else 120
    screen.print(table(outcome.report, narrow, ascii=not _can_tick()))
    for change in outcome.changes:
        say(_changed(change))
    for each in outcome.ungraded:
        say(f"could not be graded: {each}. The same command tries again.")
    say(f"book: {place / 'index.html'}")


def _changed(change: Change) -> str:
    before = {test.name: test.status for test in change.before.tests}
    counts = [sum(test.status == "passed" for test in verdict.tests) for verdict in (change.before, change.after)]
    named = [f"{test.name} {before.get(test.name)} → {test.status}" for test in change.after.tests]
    named = [text for text, test in zip(named, change.after.tests, strict=True) if before.get(test.name) != test.status]
    what = f"{change.student}/{change.kata}: {change.before.status} ({counts[0]} passed) → "
    more = f": {'; '.join(named[:5])}{'; …' if len(named) > 5 else ''}" if named else ""
    return f"{what}{change.after.status} ({counts[1]} passed){more}"


def _can_tick() -> bool:
    try:
        "✓".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
