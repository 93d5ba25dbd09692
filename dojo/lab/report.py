"""What a learner sees of a failing test: the rule, what their code did, what was expected, and where to look."""

from __future__ import annotations

import re
import textwrap
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dojo.lab.blame import learner_frames, place
from dojo.lab.errors import Deadlock, ForgottenAwait, LabError, Stuck
from dojo.lab.explore import Session
from dojo.lab.timeline import timeline
from dojo.lab.verdict import Failure, one_line

WIDTH = 100
MAX_LINES = 24


@dataclass(frozen=True)
class Rule:
    """What a kata test's docstring says: ``Rule 4. Two servers share one limit.``"""

    number: int | None
    text: str


def rule_of(doc: str | None) -> Rule:
    """Read a test's docstring; a test without a numbered rule is known by its first line."""
    first = " ".join((doc or "").strip().split("\n\n")[0].split())
    match = re.match(r"Rule (\d+)\.\s*(.*)", first)
    return Rule(int(match[1]), match[2]) if match else Rule(None, first)


@dataclass(frozen=True)
class Report:
    """One test's result, as data for tools and as text for people."""

    rule: int | None
    text: str
    outcome: str
    """``passed`` or ``failed``"""
    kind: str = ""
    """``failure`` (a rule is broken), ``error`` (the learner's exception), ``missing`` (not written yet),
    ``deadlock``, ``never-finishes``, ``assert``, ``lab`` (the lab cannot do what is asked)"""
    trap: str | None = None
    expected: str | None = None
    got: str | None = None
    schedule: str | None = None
    runs: int = 0
    rendered: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def report(session: Session, rule: Rule, kata: str, file: Path, test: str, command: str = "hint") -> Report:
    """Judge a finished session of the test called `test`; `dojo COMMAND KATA` is the way on after a failure."""
    run = session.failed
    if run is None or run.error is None:
        return Report(rule.number, rule.text, "passed", runs=session.runs)
    error = run.error
    told = _Told(session, rule, file, test, f"dojo {command} {kata}")
    lines = [*told.heading(), "", *told.body(error), *told.footer()]
    return Report(
        rule.number,
        rule.text,
        "failed",
        kind=kind_of(error),
        trap=error.trap if isinstance(error, Failure) else None,
        expected=error.expected if isinstance(error, Failure) else None,
        got=error.got if isinstance(error, Failure) else None,
        schedule=run.token or None,
        runs=session.runs,
        rendered="\n".join(lines),
    )


def kind_of(error: BaseException) -> str:
    if isinstance(error, Failure):
        return "failure"
    if isinstance(error, NotImplementedError):
        return "missing"
    if isinstance(error, LabError):
        return "lab"
    if isinstance(error, Deadlock):
        return "deadlock"
    if isinstance(error, Stuck):
        return "never-finishes"
    return "assert" if isinstance(error, AssertionError) else "error"


class _Told:
    def __init__(self, session: Session, rule: Rule, file: Path, test: str, way_on: str) -> None:
        assert session.failed is not None
        self._session = session
        self._run = session.failed
        self._rule = rule
        self._file = file
        self._test = test
        self._way_on = way_on

    def heading(self) -> list[str]:
        number = f"Rule {self._rule.number}  " if self._rule.number is not None else ""
        room = WIDTH - len(self._file.name) - 2
        title = textwrap.wrap(f"{number}{self._rule.text}", room, subsequent_indent=" " * len(number), **_VERBATIM) or [
            ""
        ]
        title[0] = f"{title[0]:<{room}}  {self._file.name}"
        context = "; ".join(c for c in (self._run.lab.story, self._which_run()) if c)
        return [*title, *_hung("  ", context)]

    def _which_run(self) -> str:
        run = self._run
        if not run.token:
            return ""
        told = f"run {self._session.runs}"
        if (fault := run.plan.fault) is not None:
            title = next((actor.title for actor in run.world.actors if actor.letter == fault.actor), fault.actor)
            told = f"{fault.story(title)}; {told}"
        return told

    def body(self, error: BaseException) -> list[str]:
        if isinstance(error, NotImplementedError):
            frames = learner_frames(self._run.world.learner_files, error.__traceback__)
            where = f" ({self._file.name}:{frames[-1].lineno} in {frames[-1].name})" if frames else ""
            said = f": {error}" if str(error) else ""
            return [f"  not written yet{said}{where}"]
        verdict = [*self._verdict(error), *self._forgotten(error)]
        # Nine lines: a heading of two, the footer, blank lines, the columns' titles, and one to spare for a third.
        around = len(verdict) + max(9, len(self.heading()) + len(self.footer()) + 3)
        picture = timeline(self._run.world.trace, width=WIDTH, max_rows=max(4, min(14, MAX_LINES - around)))
        return [*picture, *([""] if picture else []), *verdict]

    def _forgotten(self, error: BaseException) -> list[str]:
        suspected = self._run.forgotten or (isinstance(error, TypeError) and "coroutine" in str(error))
        hint = ["            is an `await` missing?"] if suspected else []
        told = [line for text in self._run.forgotten[:2] for line in text.splitlines()]
        return [*(f"  {'note      ' if i == 0 else '          '}{line}" for i, line in enumerate(told)), *hint]

    def _verdict(self, error: BaseException) -> list[str]:
        if isinstance(error, ForgottenAwait):
            return []  # the note below says it all
        if isinstance(error, Failure):
            lines = [*_hung("  expected  ", error.expected), *_hung("  got       ", error.got)]
            if error.__cause__ is not None:
                lines += [f"            {line}" for line in self._own_lines(error.__cause__)]
            return [*lines, f"  trap      {error.trap}     README.md#{error.trap}"]
        if isinstance(error, LabError):
            limit = "this is a limit of the lab; it says nothing about the rule"
            lines = [line for told in str(error).splitlines() for line in _hung("  lab       ", told)]
            return [*lines, f"            {limit}", *(f"            {line}" for line in self._own_lines(error))]
        if isinstance(error, Stuck):
            return [f"  {line}" for line in str(error).splitlines()]
        if isinstance(error, AssertionError):
            return [f"  {line}" for line in str(error).splitlines()] or ["  an assertion of the test failed"]
        told = _hung("  raised    ", f"{type(error).__name__}: {one_line(str(error))}")
        return [*told, *(f"            {line}" for line in self._own_lines(error))]

    def _own_lines(self, error: BaseException) -> list[str]:
        frames = learner_frames(self._run.world.learner_files, error.__traceback__)
        if not frames:
            last = traceback.extract_tb(error.__traceback__)[-1:]
            return [f"at {place(f.filename, f.lineno or 0, f.name)}" for f in last if f.filename.endswith(".py")][:1]
        return [line for f in frames[-2:] for line in f"at {place(f.filename, f.lineno or 0, f.name)}".splitlines()]

    def footer(self) -> list[str]:
        name = f'"{self._test}"' if "[" in self._test else self._test
        again = [f"  replay    -k {name} --schedule {self._run.token}"] if self._run.token else []
        return ["", *again, f"  next      {self._way_on}"]


_VERBATIM: dict[str, Any] = {"break_on_hyphens": False, "drop_whitespace": True, "replace_whitespace": False}


def _hung(label: str, text: str) -> list[str]:
    """`text` after `label`, wrapped, the further lines below the first; nothing for an empty text."""
    return textwrap.wrap(text, WIDTH, initial_indent=label, subsequent_indent=" " * len(label), **_VERBATIM)
