"""redis-py's own Lock for each item: who stores holds it, and a reader who does not get it stores nothing.

The entry goes before the commit and, under write-through, comes back after it. A lock that its owner left behind ends
with `ttl`.

Design: library
Breaks: none
"""

import contextlib
import json

import redis


class _Items:
    def __init__(self, client, database, *, table, ttl):
        if not (ttl >= 0.001 and ttl != float("inf")):
            raise ValueError(f"{ttl} is no ttl")
        self._client, self._database, self._table, self._ttl = client, database, table, ttl

    def _entry(self, key):
        return json.dumps(["entry", self._table, key])

    def _lock(self, key):
        return self._client.lock(json.dumps(["lock", self._table, key]), timeout=self._ttl, sleep=self._ttl / 100)

    def get(self, key):
        lock, mine = self._lock(key), False
        with contextlib.suppress(redis.RedisError):
            found = self._client.get(self._entry(key))
            if found:
                return json.loads(found)
            mine = lock.acquire(blocking=False)
        with self._database.begin() as tx:
            item = tx.get(self._table, key)
        if mine:
            with contextlib.suppress(redis.RedisError):
                if item is not None:
                    self._store(key, item)
                lock.release()
        return item

    def _store(self, key, item):
        self._client.set(self._entry(key), json.dumps(item), px=int(self._ttl * 1000))

    def _write(self, key, change, store=None):
        lock = self._lock(key)
        lock.acquire()
        try:
            self._client.delete(self._entry(key))
            while True:
                with contextlib.suppress(self._database.SerializationError):
                    with self._database.begin() as tx:
                        change(tx)
                    break
            if store is not None:
                with contextlib.suppress(redis.RedisError):
                    self._store(key, store)
        finally:
            with contextlib.suppress(redis.RedisError):
                lock.release()

    def put(self, key, value):
        self._write(key, lambda tx: tx.put(self._table, key, value), value if self.through else None)

    def delete(self, key):
        self._write(key, lambda tx: tx.delete(self._table, key))


class WriteThrough(_Items):
    through = True


class WriteAround(_Items):
    through = False
