"""What happened, in one SQLite file: attempts, hints, give-ups, drills, reviews. Only ever added to.

Everything else that the dojo knows of a learner is derived from these events, so two machines' histories
are merged by taking the union, and nothing is lost that was ever recorded. An event is on disk when `record`
returns: what a learner has been shown survives whatever ends the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from dojo.practice.bench import HOME, PracticeError

FILE = Path(HOME) / "progress.sqlite3"
"""Relative to the repository root."""

VERSION = 1
"""Of the schema, kept in SQLite's `user_version`. A later version migrates from each earlier one."""

Kind = Literal["attempt", "hint", "give-up", "drill", "review", "flip", "reveal"]
KINDS: tuple[Kind, ...] = ("attempt", "hint", "give-up", "drill", "review", "flip", "reveal")

_SCHEMA = """
CREATE TABLE events (
    id   TEXT PRIMARY KEY,
    at   TEXT NOT NULL,
    kata TEXT NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX events_by_kata ON events (kata, at);
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    id: str
    """A random UUID, so that the same event is recognised on another machine."""
    at: datetime
    """In UTC, to the microsecond."""
    kata: str
    kind: Kind
    data: dict[str, Any]
    """JSON-ready; which keys there are depends on the kind (see `dojo.practice.progress`)."""


class History:
    """An open history. Use it as a context manager; several processes may have it open at once."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    def __enter__(self) -> History:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def record(self, kata: str, kind: Kind, at: datetime | None = None, **data: Any) -> Event:
        """Add an event that happens now, or at `at`. Raises PracticeError if it cannot be kept."""
        event = Event(str(uuid.uuid4()), (at or datetime.now(UTC)).astimezone(UTC), kata, kind, data)
        self.add([event])
        return event

    def add(self, events: Iterable[Event]) -> int:
        """Add those events that are not there yet, all or none; the number added. Raises PracticeError."""
        rows = [(event.id, _stamp(event.at), event.kata, event.kind, json.dumps(event.data)) for event in events]
        with _told(self.path), self._connection:
            before = self._connection.total_changes
            self._connection.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?)", rows)
            return self._connection.total_changes - before

    def events(self, kata: str | None = None, *kinds: Kind) -> list[Event]:
        """The events of one kata or of all, of the given kinds or of all, the oldest first."""
        with _told(self.path):
            rows = self._connection.execute(
                "SELECT id, at, kata, kind, data FROM events WHERE ? IS NULL OR kata = ? ORDER BY at, id", (kata, kata)
            ).fetchall()
        found = [
            Event(id, datetime.fromisoformat(at), name, kind, json.loads(data)) for id, at, name, kind, data in rows
        ]
        return [event for event in found if not kinds or event.kind in kinds]


def history(root: Path, tell: Callable[[str], None] | None = None) -> History:
    """Open the history of the repository at `root`; an empty one is made if there is none.

    A damaged file is moved aside, `tell` (default: standard error) hears where to, and an empty history takes
    its place. Raises PracticeError if the file cannot be used: it is not ours to write, or a newer dojo's.
    """
    path = root / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PracticeError(f"cannot make {path.parent}: {error.strerror}. Make {root} writable.") from error
    with _told(path):
        try:
            return History(_connect(path), path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, read-only, disk full: the file itself is sound
                raise
            aside = _move_aside(path)
            (tell or _warn)(f"{path} is damaged ({error}). It was moved to {aside}; progress starts afresh.")
            return History(_connect(path), path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10.0)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        _check(connection)
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError if the file is damaged."""
    [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version > VERSION:
        raise PracticeError(f"{path} was written by a newer dojo. Update this clone: `git pull`.")
    # Another process may be doing the same: whoever comes second finds it done.
    connection.execute("BEGIN IMMEDIATE")
    try:
        [version] = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _move_aside(path: Path) -> Path:
    """Move the file, and what SQLite keeps beside it, to a free name; the new name."""
    stamp, number = datetime.now(UTC).strftime("%Y%m%d-%H%M%S"), 1
    aside = path.with_name(f"progress-damaged-{stamp}.sqlite3")
    while aside.exists():
        number += 1
        aside = path.with_name(f"progress-damaged-{stamp}-{number}.sqlite3")
    for suffix in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What SQLite cannot do, told with the remedy."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise PracticeError(f"{path} cannot be used: {error}. Make it writable, or move it away.") from error


def _stamp(at: datetime) -> str:
    """All of one length, so that they sort as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _warn(text: str) -> None:
    print(text, file=sys.stderr)
