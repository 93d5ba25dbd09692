"""How far the learner is with each kata, derived from what happened.

What the events hold:

- `attempt`: `status` (a run's), `sha256` (of the file that was run), `kept` and `rules` (how many rules held, of how
  many), `where` (`test`, `watch`, `drill`)
- `hint`: `number`, `sha256` (of the learner's file at that moment)
- both in a drill: `where` (`drill`) and `drill` (its id, which is that of the event as which it ends)
- `give-up`: nothing
- `drill` and `review`: see `dojo.practice.schedule`
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from dojo.catalog import Catalog, Kata
from dojo.practice.history import FILE, Event, History, history
from dojo.stubs import StubError, is_pristine

State = Literal["solved", "changed", "started", "new", "incomplete"]
"""solved: green, and untouched since. changed: it was green, the file has been edited since.
started: the file is not the stub any more. new: it is. incomplete: files of the kata itself are
missing or wrong."""

PAUSE = timedelta(minutes=15)
"""Longer than this between two events, and the learner was away: only this much counts as work."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of one kata."""

    attempts: int = 0
    greens: int = 0
    hints: int = 0
    """How many have been shown, not counting repetitions."""
    gave_up: bool = False
    """The solution was shown before the first green."""
    solved_at: datetime | None = None
    """When its tests were first green."""
    solved_sha256: str | None = None
    """Of the learner's file when its tests were last green."""
    minutes: float = 0.0
    """Time at work, to the first green or so far; pauses count for 15 minutes at most."""
    last_at: datetime | None = None
    attempted_since_hint: bool = False
    hint_sha256: str | None = None
    """Of the learner's file when the last hint was shown."""


def progress_of(events: Iterable[Event]) -> dict[str, Progress]:
    """Progress by kata, from events in their order. Drills have a file of their own and count apart."""
    found: dict[str, Progress] = {}
    for event in events:
        before = found.get(event.kata, Progress())
        found[event.kata] = _after(before, event)
    return found


def _after(before: Progress, event: Event) -> Progress:
    if event.kind not in ("attempt", "hint", "give-up") or event.data.get("where") == "drill":
        return before
    worked = before.minutes
    if before.last_at is not None and before.solved_at is None:
        worked += min(event.at - before.last_at, PAUSE) / timedelta(minutes=1)
    now = replace(before, minutes=round(worked, 2), last_at=event.at)
    if event.kind == "hint":
        shown = max(now.hints, int(event.data.get("number", 1)))
        return replace(now, hints=shown, attempted_since_hint=False, hint_sha256=event.data.get("sha256"))
    if event.kind == "give-up":
        return replace(now, gave_up=now.gave_up or now.solved_at is None)
    now = replace(now, attempts=now.attempts + 1, attempted_since_hint=True)
    if event.data.get("status") != "green":
        return now
    return replace(
        now, greens=now.greens + 1, solved_at=now.solved_at or event.at, solved_sha256=event.data.get("sha256")
    )


def load(root: Path) -> dict[str, Progress]:
    """Progress by kata name; nothing is written. Raises PracticeError if the history cannot be used."""
    if not (root / FILE).exists():
        return {}
    with history(root) as past:
        return progress_of(past.events())


def sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def record_attempt(
    past: History, kata: str, text: bytes, status: str, *, kept: int, rules: int, where: str, at: datetime | None = None
) -> None:
    """Remember a run on `text`, the learner's file as it was run. Call it before the verdict is shown."""
    past.record(kata, "attempt", at, status=status, sha256=sha256(text), kept=kept, rules=rules, where=where)


def state_of(kata: Kata, progress: Progress | None) -> State:
    """Where the learner stands with one kata, without running anything."""
    if not (kata.stub.is_file() and kata.test_file.is_file() and kata.resettable):
        return "incomplete"
    try:
        if is_pristine(kata):
            return "new"
    except StubError:  # `dojo doctor` says what is wrong with the solution
        return "incomplete"
    if progress is None or progress.solved_sha256 is None:
        return "started"
    return "solved" if sha256(kata.stub.read_bytes()) == progress.solved_sha256 else "changed"


def states(katas: Catalog, known: dict[str, Progress] | None = None) -> dict[str, State]:
    """Where the learner stands with each kata, by name."""
    known = load(katas.root) if known is None else known
    return {kata.name: state_of(kata, known.get(kata.name)) for kata in katas}


def next_kata(katas: Catalog, standing: dict[str, State], after: Kata | None = None) -> Kata | None:
    """The kata to go on with: one that is being worked on, else the first new one, else None.

    With `after`, the one that follows it in the syllabus comes first. A new kata that builds on others waits for
    them, unless everything that is left does.
    """
    listed = list(katas)
    if after is not None:
        place = next((number for number, kata in enumerate(listed) if kata.name == after.name), -1) + 1
        listed = listed[place:] + listed[: place - 1]
        listed = [kata for kata in listed if standing[kata.name] in ("started", "new")]
    else:
        listed = [kata for wanted in ("started", "new") for kata in listed if standing[kata.name] == wanted]
    ready = (kata for kata in listed if standing[kata.name] == "started" or len(way_to(katas, standing, kata)) == 1)
    return next(ready, listed[0] if listed else None)


def way_to(katas: Catalog, standing: dict[str, State], goal: Kata) -> list[Kata]:
    """What is still to be solved, in teaching order: the katas that `goal` builds on, directly or not, and it."""
    wanted, unseen = set[str](), [goal.name]
    while unseen:
        kata = katas.get(unseen.pop())
        if kata is not None and kata.name not in wanted and standing[kata.name] not in ("solved", "changed"):
            wanted.add(kata.name)
            unseen += kata.needs
    return [kata for kata in katas if kata.name in wanted]
