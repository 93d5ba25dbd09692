"""What there is to show, as plain values: the session changes them, the screen only reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from dojo.catalog import Catalog, Kata
from dojo.practice import State
from dojo.runner.results import Outcome, RunResult, rules


@dataclass(frozen=True, slots=True)
class Row:
    """One rule of the checklist."""

    number: str
    sentence: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one text of the learner's file."""

    result: RunResult
    at: datetime

    @property
    def rows(self) -> list[Row]:
        """The rules in order. What is not written yet is not failed but still to come, unless it is next."""
        listed = rules(self.result)
        first = next((rule for rule in listed if rule.outcome == "failed"), None)
        written = {str(test.rule) for test in self.result.failed if test.kind != "missing"}
        return [
            Row(
                rule.number,
                rule.sentence,
                "not-run"
                if rule.outcome == "failed" and rule is not first and rule.number and rule.number not in written
                else rule.outcome,
            )
            for rule in listed
        ]

    @property
    def kept(self) -> int:
        return sum(rule.outcome == "passed" for rule in rules(self.result))

    @property
    def summary(self) -> str:
        """One line without the mark."""
        total = len(rules(self.result))
        if self.result.green:
            return f"all {total} rules hold"
        if not total:
            return "nothing could be run"
        return f"{self.kept} of {total} rules hold"

    @property
    def failure(self) -> str:
        """The first failure in full, or why there is no result; empty if all is green."""
        if self.result.green:
            return ""
        message = next((test.message for test in self.result.failed), "") or self.result.detail
        ends = {"timed-out": "The run was stopped", "crashed": "The run ended early"}
        if self.result.status in ends and message != self.result.detail:
            return f"{ends[self.result.status]}: {self.result.detail}\n\n{message.rstrip()}"
        return message.rstrip()

    @property
    def printed(self) -> str:
        """What the learner's code printed in the first failing test."""
        return "" if self.result.green or self.result.status == "broken" else self.result.output.rstrip()


PageKind = Literal["markdown", "python", "diff", "plain"]


@dataclass(frozen=True, slots=True)
class Page:
    """Something to read."""

    name: Literal["hints", "diff", "solution", "further", "keys"]
    title: str
    text: str
    kind: PageKind
    keys: str = ""
    """What can be pressed here, beside the keys for scrolling and going back."""


@dataclass(slots=True)
class Scene:
    """Everything that is on the screen, and how far it is scrolled."""

    katas: Catalog
    kata: Kata
    standing: dict[str, State]
    verdict: Verdict | None = None
    running: bool = False
    finished: int = 0
    """Tests of the running run that have ended."""
    trouble: str = ""
    """Why there can be no verdict at all; shown instead of one."""
    notice: str = ""
    """One line about the last key, until the next."""
    page: Page | None = None
    listing: bool = False
    """The list of katas is shown."""
    cursor: int = 0
    """The chosen line of the list."""
    top: int = 0
    """The first line of the body that is shown."""
    room: int = field(default=10)
    """How many lines of the body fit, by the last drawing."""

    @property
    def progress(self) -> str:
        """As in `messaging 1/2 · all 3/6`."""
        solved = [kata for kata in self.katas if self.standing[kata.name] in ("solved", "changed")]
        track = [kata for kata in self.katas if kata.track == self.kata.track]
        here = sum(kata.track == self.kata.track for kata in solved)
        return f"{self.kata.track} {here}/{len(track)} · all {len(solved)}/{len(self.katas)}"
