"""The grader's memory, in one SQLite file: who handed in what, and what the tests said about it.

A verdict is on disk when `record` returns, whatever ends the process afterwards, and what was ever recorded is
only added to: a regrade keeps what it replaces. Students' texts are kept as ASCII JSON, because names of files may
hold lone surrogates, which SQLite cannot keep as text.

One process grades into a book at a time, and holds a lock for it. Others may read meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dojo.grader.lock import Lock
from dojo.grader.model import GraderError, Verdict

FILE = "journal.sqlite3"
"""Relative to the book's directory."""

VERSION = 1
"""Of the schema, kept in SQLite's `user_version`. A later version migrates from each earlier one."""

_SCHEMA = """
CREATE TABLE sources (
    sha  TEXT PRIMARY KEY,
    data BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE students (
    place INTEGER PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE,
    data  TEXT NOT NULL
);
CREATE TABLE results (
    id     INTEGER PRIMARY KEY,
    key    TEXT NOT NULL,
    at     TEXT NOT NULL,
    graded INTEGER NOT NULL,
    data   TEXT NOT NULL
);
CREATE INDEX results_by_key ON results (key, graded, id);
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One student as the intake found them: enough to go on with a batch and to write the book."""

    name: str
    """Unique in the journal."""
    origin: str
    roster_id: str = ""
    notes: tuple[str, ...] = ()
    trouble: str = ""
    """Why nothing could be read, if so."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why what was handed in for a kata cannot be graded, by the kata's name."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The sha256 of the file for each kata, as `keep_source` returned it."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Under which key the verdict for each kata is recorded, or will be."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the batch has come."""

    students: int
    planned: int
    """Pairs of a student and a kata that have a key. Two who handed in the same file are two pairs."""
    graded: int
    ungraded: int
    """Tried, and the grader could not do it."""
    last: datetime | None
    """When the newest verdict was recorded, in UTC."""

    @property
    def waiting(self) -> int:
        return self.planned - self.graded - self.ungraded


class Journal:
    """The journal of one book, as a context manager; it may be used by several threads.

    The one that grades holds the book's lock while it is open. With `reading`, nothing can be changed, no lock is
    taken, and the file must exist.
    """

    def __init__(self, path: Path, *, reading: bool = False, tell: Callable[[str], None] | None = None) -> None:
        """`tell` (default: standard error) hears if a damaged file was moved aside."""
        self.path = path
        self._reading = reading
        self._tell = tell or _warn
        self._lock = Lock(path.parent)
        self._guard = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Journal:
        """Raises GraderError: somebody else is grading, or the file cannot be used."""
        if self._reading:
            self._connection = _open_to_read(self.path)
            return self
        # Only who holds the lock may judge a file damaged and move it: a reader must never take it from a batch.
        self._lock.take()
        try:
            self._connection = _open_to_write(self.path, self._tell)
        except BaseException:
            self._lock.free()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._lock.free()

    # What was handed in

    def keep_source(self, data: bytes) -> str:
        """Keep what is graded; its sha256, by which `source` finds it."""
        sha = hashlib.sha256(data).hexdigest()
        with self._change() as connection:
            connection.execute("INSERT OR IGNORE INTO sources VALUES (?, ?)", (sha, data))
        return sha

    def source(self, sha: str) -> bytes:
        """Raises GraderError if it is not there."""
        found = self._ask("SELECT data FROM sources WHERE sha = ?", sha)
        if not found:
            raise GraderError(f"{self.path} holds no submission {sha}. Give `dojo grade` the submissions again.")
        return bytes(found[0][0])

    def begin(self, entries: Iterable[Entry]) -> None:
        """These are all the students of the batch, in the book's order; the former list is replaced, as a whole.

        Verdicts stay: who is on the list again, with the same files, is not graded again.
        """
        rows = [_row(entry) for entry in entries]
        with self._change() as connection:
            connection.execute("DELETE FROM students")
            connection.executemany("INSERT INTO students (name, data) VALUES (?, ?)", rows)

    def enter(self, entry: Entry) -> None:
        """Add a student at the end, or replace the one of that name in their place."""
        with self._change() as connection:
            connection.execute(
                "INSERT INTO students (name, data) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data",
                _row(entry),
            )

    def entries(self) -> tuple[Entry, ...]:
        """The students of the batch, in the book's order."""
        return tuple(_entry(data) for (data,) in self._ask("SELECT data FROM students ORDER BY place"))

    # What the tests said

    def record(self, key: str, verdict: Verdict, *, regrade: bool = False) -> Verdict:
        """Keep a verdict; the one that counts from now on, which is the first unless this is a regrade.

        An `ungraded` verdict never counts if there is another, whenever that was recorded. Raises GraderError if it
        cannot be kept.
        """
        graded = verdict.status != "ungraded"
        row = (key, _stamp(datetime.now(UTC)), graded, json.dumps(verdict.to_json()))
        with self._change() as connection:
            if (
                regrade
                or not connection.execute("SELECT 1 FROM results WHERE key = ? AND graded LIMIT 1", (key,)).fetchone()
            ):
                connection.execute("INSERT INTO results (key, at, graded, data) VALUES (?, ?, ?, ?)", row)
        counting = self.verdict(key)
        assert counting is not None
        return counting

    def verdict(self, key: str) -> Verdict | None:
        """The one that counts: the newest that is not `ungraded`, or else the newest. None if there is none."""
        found = self._ask("SELECT data FROM results WHERE key = ? ORDER BY graded DESC, id DESC LIMIT 1", key)
        return _verdict(found[0][0]) if found else None

    def graded(self, key: str) -> bool:
        """Whether there is nothing left to do: a verdict that is not `ungraded`."""
        return bool(self._ask("SELECT 1 FROM results WHERE key = ? AND graded LIMIT 1", key))

    def history(self, key: str) -> list[tuple[datetime, Verdict]]:
        """All verdicts that were ever recorded, the oldest first, each with its time in UTC."""
        found = self._ask("SELECT at, data FROM results WHERE key = ? ORDER BY id", key)
        return [(datetime.fromisoformat(at), _verdict(data)) for at, data in found]

    def progress(self) -> Progress:
        """How far the batch is: of the pairs that `entries` plan, not of all that was ever recorded."""
        with self._guard:
            entries = self.entries()
            state: dict[str, int] = dict(self._ask("SELECT key, max(graded) FROM results GROUP BY key"))
            [(last,)] = self._ask("SELECT max(at) FROM results")
        found = [state.get(key) for entry in entries for key in entry.keys.values()]
        when = datetime.fromisoformat(last) if last else None
        return Progress(len(entries), len(found), found.count(1), found.count(0), when)

    # Settings of the batch

    def meta(self, key: str) -> Any:
        """What `set_meta` kept under that name, or None."""
        found = self._ask("SELECT value FROM meta WHERE key = ?", key)
        return json.loads(found[0][0]) if found else None

    def set_meta(self, key: str, value: Any) -> None:
        """Keep a small JSON-ready value under a name."""
        with self._change() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def _ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        with self._guard, _told(self.path):
            return self._opened().execute(question, values).fetchall()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: on disk when it is left, or nothing of it."""
        if self._reading:
            raise GraderError(f"{self.path} is open for reading only.")
        with self._guard, _told(self.path):
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # The error itself may have ended the transaction (a full disk does).
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise GraderError(f"{self.path} is not open. Use the journal as a context manager.")
        return self._connection


def _open_to_read(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise GraderError(f"There is no {path}: nothing was graded into this book yet. Run `dojo grade` first.")
    with _told(path):
        try:
            connection = _connect(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise GraderError(
                f"{path} is damaged ({error}). The next `dojo grade` moves it aside and grades afresh."
            ) from error
        try:
            [version] = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:  # a batch has made the file, and not yet its tables
                raise GraderError(f"{path} is still empty: nothing was graded into this book yet.")
            _refuse_newer(version, path)
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def _open_to_write(path: Path, tell: Callable[[str], None]) -> sqlite3.Connection:
    with _told(path):
        try:
            return _prepared(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, read-only, disk full: the file itself is sound
                raise
            aside = _move_aside(path)
            tell(f"{path} is damaged ({error}). It was moved to {aside}; everything will be graded again.")
            return _prepared(path)


def _prepared(path: Path) -> sqlite3.Connection:
    connection = _connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the batch, nor it for them
        # In WAL mode NORMAL would survive a killed process, but a power cut could take the last verdicts. FULL costs
        # one fsync a verdict, which is nothing beside the run of tests that made it.
        connection.execute("PRAGMA synchronous = FULL")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.DatabaseError if the file is damaged."""
    # `_guard` keeps threads apart, and transactions are begun by hand.
    connection = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    try:
        [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    _refuse_newer(version, path)
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _refuse_newer(version: int, path: Path) -> None:
    if version > VERSION:
        raise GraderError(f"{path} was written by a newer dojo. Update this clone: `git pull`.")


def _move_aside(path: Path) -> Path:
    """Move the file, and what SQLite keeps beside it, to a free name; the new name."""
    stamp, number = datetime.now(UTC).strftime("%Y%m%d-%H%M%S"), 1
    aside = path.with_name(f"journal-damaged-{stamp}.sqlite3")
    while aside.exists():
        number += 1
        aside = path.with_name(f"journal-damaged-{stamp}-{number}.sqlite3")
    for suffix in ("", "-journal", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What SQLite cannot do, told with the remedy."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise GraderError(
            f"{path} cannot be used: {error}. See that it is writable and the disk is not full, or move it away."
        ) from error


def _row(entry: Entry) -> tuple[str, str]:
    # Not `asdict`, which cannot copy every mapping.
    values = {each.name: getattr(entry, each.name) for each in fields(entry)}
    values |= {name: dict(values[name]) for name in ("refused", "sources", "keys")}
    return json.dumps(entry.name), json.dumps(values)


def _entry(data: str) -> Entry:
    values = json.loads(data)
    return Entry(**{**values, "notes": tuple(values["notes"])})


def _verdict(data: str) -> Verdict:
    return Verdict.from_json(json.loads(data))


def _stamp(at: datetime) -> str:
    """All of one length, so that they sort as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _warn(text: str) -> None:
    print(text, file=sys.stderr)
