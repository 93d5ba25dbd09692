"""A small database with real transactions, for patterns in which two writes must happen together or not at all.

Tables of rows, each row under a unique primary key. Isolation is *snapshot isolation with first-committer-wins*
(Berenson et al., "A Critique of ANSI SQL Isolation Levels", 1995), which is what PostgreSQL calls REPEATABLE READ: a
transaction reads the state of its first statement plus its own writes, and a row that somebody else has committed
since makes its commit fail.

Why not row locks: a transaction that waits for a lock would have to wait inside a step of the world, and whether it
may go on would depend on other steps. Here no statement ever waits, so every interleaving of statements is a
legal one, every schedule ends, and the search stays exhaustive. What a caller can observe differs in one place
only: PostgreSQL lets the second writer of a row wait and fails its *statement*, this database fails its *commit*.
Code that handles the error around the whole transaction, as it must anyway, behaves alike on both. As under any
snapshot isolation, two transactions that read what the other writes may both commit (write skew).

Each statement, commit and rollback is one step: it can be interleaved, lost, or the last thing that a process does.
Nothing of a transaction is visible before its commit, so a process that dies with one open leaves nothing behind.
A lost reply to COMMIT is the case to think about: the caller gets `Disconnected` and the rows are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from dojo.lab.copies import copied
from dojo.lab.fakes.inspection import for_tests
from dojo.lab.trace import Access, Touches
from dojo.lab.verdict import shown
from dojo.lab.world import World

T = TypeVar("T")
Place = tuple[str, str]
"""Table and primary key."""


class DatabaseError(Exception):
    """What the database refuses; the message names the remedy. Its subclasses are what callers tell apart."""


class IntegrityError(DatabaseError):
    """A row with this primary key exists. The transaction can only be rolled back."""


class SerializationError(DatabaseError):
    """Another transaction committed a row that this one also writes. Run the whole transaction again."""


class Disconnected(DatabaseError, ConnectionError):
    """The connection broke. An open transaction is rolled back; a commit under way may or may not have happened."""


class _Gone:
    """Marks a row that a transaction has deleted."""

    def __repr__(self) -> str:
        return "deleted"


_GONE = _Gone()


@dataclass
class Tables:
    """What is committed, and by which commit."""

    rows: dict[Place, Any] = field(default_factory=dict)
    written: dict[Place, int] = field(default_factory=dict)
    commits: int = 0


@dataclass
class _Work:
    """One transaction as the server sees it; knows nothing of steps and connections."""

    tables: Tables
    state: Literal["open", "failed", "committed", "rolled back"] = "open"
    writes: dict[Place, Any] = field(default_factory=dict)
    inserts: set[Place] = field(default_factory=set)
    _snapshot: dict[Place, Any] | None = None
    _seen: int = 0

    def _begin(self) -> dict[Place, Any]:
        if self.state == "failed":
            raise DatabaseError("this transaction has failed: roll it back and start another")
        if self.state != "open":
            raise DatabaseError(f"this transaction is {self.state}: start another with begin()")
        if self._snapshot is None:
            # Rows are never changed in place, so a shallow copy is a snapshot.
            self._snapshot, self._seen = dict(self.tables.rows), self.tables.commits
        return self._snapshot

    def get(self, place: Place) -> Any:
        row = {**self._begin(), **self.writes}.get(place, _GONE)
        return None if row is _GONE else copied(row)

    def put(self, place: Place, row: Any) -> None:
        self._begin()
        self.writes[place] = copied(row)

    def delete(self, place: Place) -> None:
        self._begin()
        self.writes[place] = _GONE

    def insert(self, place: Place, row: Any) -> None:
        self._begin()
        # A unique index knows every committed row, also those that this transaction's snapshot does not show.
        if self.writes.get(place, self.tables.rows.get(place, _GONE)) is not _GONE:
            self._fail(IntegrityError(_exists(place)))
        if place not in self.writes:
            self.inserts.add(place)
        self.writes[place] = copied(row)

    def commit(self) -> None:
        self._begin()
        tables = self.tables
        for place in self.writes:
            if tables.written.get(place, 0) <= self._seen:
                continue
            if place in self.inserts and place in tables.rows:
                self._fail(IntegrityError(_exists(place)))
            if place not in self.inserts:
                self._fail(SerializationError(f"{_told(place)} was changed by another transaction; run this one again"))
        tables.commits += 1
        for place, row in self.writes.items():
            tables.written[place] = tables.commits
            if row is _GONE:
                tables.rows.pop(place, None)
            else:
                tables.rows[place] = row
        self.state = "committed"

    def rollback(self) -> None:
        if self.state != "committed":
            self.state = "rolled back"

    def _fail(self, error: DatabaseError) -> None:
        self.state = "failed"
        raise error


class _Connected:
    """What both faces of a transaction share."""

    def __init__(self, world: World, tables: Tables) -> None:
        self._world = world
        self._work = _Work(tables)

    @property
    def _commit_access(self) -> Access:
        return "w" if self._work.writes else "r"

    @property
    def _unfinished(self) -> bool:
        return self._work.state in ("open", "failed")


class Transaction(_Connected):
    """A transaction over an asynchronous connection: ``async with database.begin() as tx``.

    Leaving the block commits; leaving it by an exception rolls back.
    """

    async def get(self, table: str, key: str) -> Any:
        """The row, or None. A copy: changing it changes nothing in the database."""
        return await self._step(f"get {table} {key}", lambda: self._work.get((table, key)))

    async def put(self, table: str, key: str, row: Any) -> None:
        """Write the row, whether or not there was one."""
        await self._step(f"put {table} {key} {shown(row, 24)}", lambda: self._work.put((table, key), row))

    async def insert(self, table: str, key: str, row: Any) -> None:
        """Write a new row. Raises IntegrityError if there is one, here or when the transaction commits."""
        await self._step(f"insert {table} {key} {shown(row, 24)}", lambda: self._work.insert((table, key), row))

    async def delete(self, table: str, key: str) -> None:
        """Delete the row, if there is one."""
        await self._step(f"delete {table} {key}", lambda: self._work.delete((table, key)))

    async def commit(self) -> None:
        """Make the writes visible and lasting, all at once.

        Raises IntegrityError or SerializationError if another transaction came first (then nothing is written), and
        Disconnected if the connection broke (then nobody knows).
        """
        await self._step("commit", self._work.commit, self._commit_access)

    async def rollback(self) -> None:
        """Forget the writes. Never raises: a database rolls back by itself when the connection breaks."""
        if self._unfinished:
            try:
                await self._step("rollback", self._work.rollback)
            except Disconnected:
                return

    async def _step(self, text: str, work: Callable[[], T], access: Access = "r") -> T:
        try:
            return await self._world.call(text, work, _touches(access), Disconnected)
        except Disconnected:
            self._work.rollback()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            await self.rollback()
        elif self._unfinished:
            await self.commit()


class TransactionSync(_Connected):
    """A transaction over a synchronous connection: ``with database.begin() as tx``; see `Transaction`."""

    def get(self, table: str, key: str) -> Any:
        """See `Transaction.get`."""
        return self._step(f"get {table} {key}", lambda: self._work.get((table, key)))

    def put(self, table: str, key: str, row: Any) -> None:
        """See `Transaction.put`."""
        self._step(f"put {table} {key} {shown(row, 24)}", lambda: self._work.put((table, key), row))

    def insert(self, table: str, key: str, row: Any) -> None:
        """See `Transaction.insert`."""
        self._step(f"insert {table} {key} {shown(row, 24)}", lambda: self._work.insert((table, key), row))

    def delete(self, table: str, key: str) -> None:
        """See `Transaction.delete`."""
        self._step(f"delete {table} {key}", lambda: self._work.delete((table, key)))

    def commit(self) -> None:
        """See `Transaction.commit`."""
        self._step("commit", self._work.commit, self._commit_access)

    def rollback(self) -> None:
        """See `Transaction.rollback`."""
        if self._unfinished:
            try:
                self._step("rollback", self._work.rollback)
            except Disconnected:
                return

    def _step(self, text: str, work: Callable[[], T], access: Access = "r") -> T:
        try:
            return self._world.call_sync(text, work, _touches(access), Disconnected)
        except Disconnected:
            self._work.rollback()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.rollback()
        elif self._unfinished:
            self.commit()


class _Client:
    def __init__(self, world: World, tables: Tables) -> None:
        self._world = world
        self._tables = tables

    @for_tests
    def rows(self, table: str) -> dict[str, Any]:
        """The committed rows of a table by primary key. Inspection: no step, no trace."""
        return {
            key: copied(row)
            for (name, key), row in sorted(self._tables.rows.items(), key=lambda item: item[0])
            if name == table
        }


class Database(_Client):
    """The asynchronous client of a world's database."""

    def begin(self) -> Transaction:
        """A new transaction. Its snapshot is taken by its first statement."""
        return Transaction(self._world, self._tables)


class DatabaseSync(_Client):
    """The synchronous client of a world's database."""

    def begin(self) -> TransactionSync:
        """A new transaction. Its snapshot is taken by its first statement."""
        return TransactionSync(self._world, self._tables)


def _touches(access: Access) -> Touches:
    # A snapshot shows all tables, so a statement depends on every commit, and on nothing else.
    return {b"database": access}


def _told(place: Place) -> str:
    return f"{place[1]!r} in {place[0]}"


def _exists(place: Place) -> str:
    return f"{_told(place)} exists already; roll back, then read it in a new transaction"
