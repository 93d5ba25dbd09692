"""Write-through and write-around: a table of a database behind a cache that never contradicts it.

Write-through puts what it has written into the cache as well; write-around leaves that to the next read. (Both names
are those of processor caches, see Hennessy and Patterson, "Computer Architecture"; the AWS whitepaper "Database Caching
Strategies Using Redis" has them for databases.) Either way the database decides what is true, and the cache may only
be late to know it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import redis

#: bool, int, finite float, str, and lists and str-keyed dicts of these and of None. None itself means "no item".
JSON: TypeAlias = Any


class Transaction(Protocol):
    """A transaction under snapshot isolation: it reads the state of its first statement, and its own writes."""

    def get(self, table: str, key: str) -> Any:
        """The row, or None."""

    def put(self, table: str, key: str, row: Any) -> None:
        """Write the row, whether or not there was one."""

    def delete(self, table: str, key: str) -> None:
        """Delete the row, if there is one."""


class Database(Protocol):
    """The database: transactions, and the error that asks for another try."""

    @property
    def SerializationError(self) -> type[Exception]:
        """Raised by a commit if another transaction has committed a row that this one also writes."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """``with database.begin() as tx``: commits at the end of the block, or rolls back if an exception leaves it."""


class CachedTable:
    """What both policies share: the items of `table`, one JSON value under each key, read through a cache in Redis.

    `ttl`: seconds that an entry lives in the cache; fractions count, a millisecond more or less does not.
    Raises ValueError unless `ttl` is finite and at least 0.001.
    """

    def __init__(self, client: redis.Redis, database: Database, *, table: str, ttl: float) -> None:
        raise NotImplementedError("CachedTable.__init__ is yours to write; its rules stand in README.md")

    def get(self, key: str) -> JSON:
        """The item, out of the cache if it is there; None if there is no such item.

        Never raises an error of Redis; raises the database's if it has to be asked.
        """
        raise NotImplementedError("CachedTable.get is yours to write; its rules stand in README.md")

    def put(self, key: str, value: JSON) -> None:
        """Write the item, whether or not there was one. Once this returns, no `get` gives an older one.

        Raises redis.RedisError if the cache cannot be prepared, and then nothing is written; raises the database's
        errors, but for conflicts with other writers: these are settled here.
        """
        raise NotImplementedError("CachedTable.put is yours to write; its rules stand in README.md")

    def delete(self, key: str) -> None:
        """Delete the item, if there is one. Raises as `put` does."""
        raise NotImplementedError("CachedTable.delete is yours to write; its rules stand in README.md")


class WriteAround(CachedTable):
    """Writes go to the database and evict; the next read fills the cache. For what is written more than read."""


class WriteThrough(CachedTable):
    """Writes go to the database and then into the cache, so the next read is a hit. For what is read right away."""

    def put(self, key: str, value: JSON) -> None:
        """As `CachedTable.put`, and the item is in the cache then, unless Redis failed or another writer came."""
        raise NotImplementedError("WriteThrough.put is yours to write; its rules stand in README.md")
