"""Write-through and write-around: a table of a database behind a cache that never contradicts it.

Write-through puts what it has written into the cache as well; write-around leaves that to the next read. (Both names
are those of processor caches, see Hennessy and Patterson, "Computer Architecture"; the AWS whitepaper "Database Caching
Strategies Using Redis" has them for databases.) Either way the database decides what is true, and the cache may only
be late to know it.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

import redis

_log = logging.getLogger(__name__)

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
    def SerializationError(self) -> type[Exception]:  # an attribute of the connection, as in PEP 249
        """Raised by a commit if another transaction has committed a row that this one also writes."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """``with database.begin() as tx``: commits at the end of the block, or rolls back if an exception leaves it."""


# Raise what the cache knows of an item to a version, with its value or without one; never go back.
_RAISE = """
local known = redis.call('HGET', KEYS[1], 'version')
if known and tonumber(known) > tonumber(ARGV[1]) then return end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'version', ARGV[1])
if ARGV[3] then redis.call('HSET', KEYS[1], 'value', ARGV[3]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


class CachedTable:
    """What both policies share: the items of `table`, one JSON value under each key, read through a cache in Redis.

    `ttl`: seconds that an entry lives in the cache; fractions count, a millisecond more or less does not.
    Raises ValueError unless `ttl` is finite and at least 0.001.
    """

    def __init__(self, client: redis.Redis, database: Database, *, table: str, ttl: float) -> None:
        if not 0.001 <= ttl < math.inf:
            raise ValueError(f"ttl is a finite number of seconds, at least 0.001, not {ttl!r}")
        self._redis = client
        self._database = database
        self._table = table
        # Beside the items, since a version must outlive its item: after a delete and a put it still has to be higher.
        self._versions = f"_versions:{table}"
        self._ttl_ms = round(ttl * 1000)

    def get(self, key: str) -> JSON:
        """The item, out of the cache if it is there; None if there is no such item.

        Never raises an error of Redis; raises the database's if it has to be asked.
        """
        try:
            found: Any = self._redis.hget(self._name(key), "value")
        except redis.RedisError as error:
            _log.warning("cannot read %s, asking the database: %s", key, error)
            found = None
        if found is not None:
            return json.loads(found)
        with self._database.begin() as tx:  # one snapshot, so that the version is this value's
            version, value = tx.get(self._versions, key) or 0, tx.get(self._table, key)
        if value is not None:
            self._fill(key, version, value)
        return value

    def put(self, key: str, value: JSON) -> None:
        """Write the item, whether or not there was one. Once this returns, no `get` gives an older one.

        Raises redis.RedisError if the cache cannot be prepared, and then nothing is written; raises the database's
        errors, but for conflicts with other writers: these are settled here.
        """
        self._write(key, lambda tx: tx.put(self._table, key, value))

    def delete(self, key: str) -> None:
        """Delete the item, if there is one. Raises as `put` does."""
        self._write(key, lambda tx: tx.delete(self._table, key))

    def _write(self, key: str, change: Callable[[Transaction], None]) -> int:
        """Change the item in the database; its new version."""
        while True:
            try:
                with self._database.begin() as tx:
                    version: int = (tx.get(self._versions, key) or 0) + 1
                    # Before the commit: from its instant on no older entry may be served, even if this process dies
                    # there. If it is not to be, readers ask the database for a while, which is always right.
                    self._raise(key, version)
                    tx.put(self._versions, key, version)
                    change(tx)
                return version
            except self._database.SerializationError:
                _log.info("another writer was faster at %s, trying again", key)

    def _fill(self, key: str, version: int, value: JSON) -> None:
        try:
            self._raise(key, version, json.dumps(value))
        except redis.RedisError as error:
            _log.warning("cannot store %s, the next read may: %s", key, error)

    def _raise(self, key: str, version: int, *value: str) -> None:
        self._redis.eval(_RAISE, 1, self._name(key), version, self._ttl_ms, *value)

    def _name(self, key: str) -> str:
        # Quoted, the table has no colon, so the first colon after it is the border, whatever the key contains.
        return f"item:{quote(self._table, safe='')}:{key}"


class WriteAround(CachedTable):
    """Writes go to the database and evict; the next read fills the cache. For what is written more than read."""


class WriteThrough(CachedTable):
    """Writes go to the database and then into the cache, so the next read is a hit. For what is read right away."""

    def put(self, key: str, value: JSON) -> None:
        """As `CachedTable.put`, and the item is in the cache then, unless Redis failed or another writer came."""
        version = self._write(key, lambda tx: tx.put(self._table, key, value))
        self._fill(key, version, value)
