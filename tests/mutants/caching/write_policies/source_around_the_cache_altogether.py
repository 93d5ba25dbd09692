"""A write goes around the cache so far that the old entry stays there.

Trap: stale-after-write
Rule: 4
Published: in tutorials on caching patterns
"""

import contextlib
import json
import math
from urllib.parse import quote

import redis


class CachedTable:
    def __init__(self, client, database, *, table, ttl):
        if not 0.001 <= ttl < math.inf:
            raise ValueError("ttl")
        self.redis, self.database = client, database
        self.table = table
        self.ttl = round(ttl * 1000)

    def get(self, key):
        try:
            found = self.redis.get(self.name(key))
        except redis.RedisError:
            found = None
        if found is not None:
            return json.loads(found)
        with self.database.begin() as tx:
            value = tx.get(self.table, key)
        if value is not None:
            with contextlib.suppress(redis.RedisError):
                self.store(key, value)
        return value

    def put(self, key, value):
        self.write(lambda tx: tx.put(self.table, key, value))

    def delete(self, key):
        self.write(lambda tx: tx.delete(self.table, key))
        self.evict(key)

    def write(self, change):
        while True:
            try:
                with self.database.begin() as tx:
                    change(tx)
                return
            except self.database.SerializationError:
                continue

    def store(self, key, value):
        self.redis.set(self.name(key), json.dumps(value), px=self.ttl)

    def evict(self, key):
        self.redis.delete(self.name(key))

    def name(self, key):
        return f"item:{quote(self.table, safe='')}:{key}"


class WriteAround(CachedTable):
    pass


class WriteThrough(CachedTable):
    def put(self, key, value):
        self.write(lambda tx: tx.put(self.table, key, value))
        self.store(key, value)
