"""A drill: one kata against the clock, on a fresh stub in a directory of its own.

The directory holds the file that is edited and `drill.json`, which says how far the drill is and is whole at
any moment. A drill ends as one event in the history that carries the drill's own id, so that it is counted once,
whatever interrupts its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from dojo.catalog import Kata
from dojo.practice.bench import HOME, PracticeError, write_atomically
from dojo.practice.history import FILE, Event, History, history
from dojo.practice.progress import PAUSE, sha256
from dojo.practice.schedule import Rating, rate_drill
from dojo.stubs import stub_of

DRILLS = Path(HOME) / "drills"
"""Relative to the repository root."""
STATE = "drill.json"
VERSION = 1

Ending = Literal["green", "time-up", "gave-up"]


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill, as it stands."""

    id: str
    """A UUID: that of the event as which it ends."""
    kata: str
    directory: Path
    started_at: datetime
    limit_seconds: float
    used_seconds: float = 0.0
    hints: int = 0
    """How many have been shown."""
    attempts: int = 0
    kept: int = 0
    """Rules that held at the last attempt."""
    rules: int = 0
    """Of how many; 0 before the first attempt."""
    checked_at: datetime | None = None
    """When the file was last tested without anybody watching the clock; None if the clock stands still."""
    ended: Ending | None = None

    @property
    def file(self) -> Path:
        """What the learner edits."""
        return self.directory / f"{self.kata}.py"

    @property
    def left_seconds(self) -> float:
        return max(0.0, self.limit_seconds - self.used_seconds)


class Busy(PracticeError):
    """Another process is at a drill."""


def begin(kata: Kata, limit_seconds: float, now: datetime | None = None) -> Drill:
    """Lay out a fresh stub and start counting. Raises PracticeError, and StubError if no stub can be derived."""
    now = (now or datetime.now(UTC)).astimezone(UTC)
    text = stub_of(kata)
    name, number = f"{now:%Y%m%d-%H%M%S}-{kata.name}", 1
    directory = kata.root / DRILLS / name
    while directory.exists():
        number += 1
        directory = kata.root / DRILLS / f"{name}-{number}"
    drill = Drill(str(uuid.uuid4()), kata.name, directory, now, limit_seconds)
    write_atomically(drill.file, text.encode())
    keep(drill)  # last: without it the directory is no drill
    return drill


def keep(drill: Drill) -> None:
    """Write down how the drill stands. Raises PracticeError."""
    data: dict[str, Any] = {"version": VERSION, **asdict(drill)}
    del data["directory"]
    data["started_at"] = drill.started_at.isoformat()
    data["checked_at"] = drill.checked_at.isoformat() if drill.checked_at else None
    write_atomically(drill.directory / STATE, (json.dumps(data, indent=1) + "\n").encode())


def read(directory: Path) -> Drill:
    """The drill in a directory. Raises PracticeError."""
    path = directory / STATE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("version") != VERSION:
            raise PracticeError(f"{path} was written by another version of the dojo. Update this clone: `git pull`.")
        data["started_at"] = datetime.fromisoformat(data["started_at"])
        data["checked_at"] = datetime.fromisoformat(data["checked_at"]) if data["checked_at"] else None
        return Drill(directory=directory, **data)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise PracticeError(f"{path} cannot be read ({error}). Move {directory} away and go on.") from error


def unfinished(root: Path) -> Drill | None:
    """The drill that was begun last and has not ended. Raises PracticeError."""
    known: set[str] | None = None
    for path in sorted((root / DRILLS).glob(f"*/{STATE}"), reverse=True):
        drill = read(path.parent)
        if drill.ended is not None:
            continue
        known = _ended(root) if known is None else known
        if drill.id not in known:
            return drill
    return None


def _ended(root: Path) -> set[str]:
    if not (root / FILE).exists():
        return set()
    with history(root) as past:
        return {event.id for event in past.events(None, "drill")}


def ticked(drill: Drill, seconds: float) -> Drill:
    """After so many more seconds of work; never beyond the limit."""
    return replace(drill, used_seconds=min(drill.limit_seconds, drill.used_seconds + max(0.0, seconds)))


def looked_at(drill: Drill, now: datetime) -> Drill:
    """After a look by a script: since its last look the clock went on, for a quarter of an hour at most.

    This one may go beyond the limit: nobody was there to stop when the time was up.
    """
    worked = min(now - drill.checked_at, PAUSE) if drill.checked_at is not None else timedelta(0)
    used = drill.used_seconds + max(0.0, worked.total_seconds())
    return replace(drill, used_seconds=used, checked_at=now)


def attended(drill: Drill, now: datetime) -> Drill:
    """Somebody watches the clock from now on."""
    return drill if drill.checked_at is None else replace(looked_at(drill, now), checked_at=None)


def attempted(drill: Drill, past: History, text: bytes, status: str, kept: int, rules: int) -> Drill:
    """Remember a run on `text`. Call it before the verdict is shown."""
    record_run(drill, past, text, status, kept, rules)
    drill = replace(drill, attempts=drill.attempts + 1, kept=kept, rules=rules or drill.rules)
    keep(drill)
    return drill


def record_run(drill: Drill, past: History, text: bytes, status: str, kept: int, rules: int) -> None:
    """Like `attempted`, for a drill that another process keeps."""
    past.record(
        drill.kata,
        "attempt",
        status=status,
        sha256=sha256(text),
        kept=kept,
        rules=rules,
        where="drill",
        drill=drill.id,
    )


def hinted(drill: Drill, past: History, number: int) -> Drill:
    """Remember that hint `number` is about to be shown."""
    if number <= drill.hints:
        return drill
    past.record(drill.kata, "hint", number=number, where="drill", drill=drill.id)
    drill = replace(drill, hints=number)
    keep(drill)
    return drill


def end(drill: Drill, past: History, kata: Kata, ending: Ending, now: datetime | None = None) -> tuple[Drill, Rating]:
    """Record the drill as one event, however often it is called."""
    rating = rate_drill(
        green=ending == "green",
        seconds=drill.used_seconds,
        limit_seconds=drill.limit_seconds,
        minutes=kata.minutes,
        hints=drill.hints,
        gave_up=ending == "gave-up",
    )
    data = {
        "seconds": round(drill.used_seconds, 1),
        "limit_seconds": drill.limit_seconds,
        "minutes": kata.minutes,
        "status": ending,
        "kept": drill.kept,
        "rules": drill.rules,
        "hints": drill.hints,
        "gave_up": ending == "gave-up",
        "rating": rating,
    }
    past.add([Event(drill.id, (now or datetime.now(UTC)).astimezone(UTC), kata.name, "drill", data)])
    drill = replace(drill, ended=ending, checked_at=None)
    keep(drill)
    return drill, rating


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """One process at a time works at a drill. Raises Busy if another one does.

    The lock is the kernel's: whatever ends its holder frees it.
    """
    try:
        import fcntl
    except ImportError:  # Windows: nobody is kept from starting twice
        yield
        return
    path = root / DRILLS / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise PracticeError(f"cannot write {path}: {error.strerror}. Make it writable and try again.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("a drill is going on in another terminal. Work there, or pause it there with q.") from None
        yield
    finally:
        os.close(descriptor)
