"""Write-through stores an item if it is true; the next reader has to do it for 0 and empty lists.

Trap: falsy-as-miss
Rule: 1
"""

import contextlib
import json
import math
from urllib.parse import quote

import redis

RAISE = """
local known = redis.call('HGET', KEYS[1], 'version')
if known and tonumber(known) > tonumber(ARGV[1]) then return end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'version', ARGV[1])
if ARGV[3] then redis.call('HSET', KEYS[1], 'value', ARGV[3]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


class CachedTable:
    def __init__(self, client, database, *, table, ttl):
        if not 0.001 <= ttl < math.inf:
            raise ValueError("ttl")
        self.redis, self.database = client, database
        self.table, self.versions = table, f"_versions:{table}"
        self.ttl = round(ttl * 1000)

    def get(self, key):
        try:
            found = self.redis.hget(self.name(key), "value")
        except redis.RedisError:
            found = None
        if found is not None:
            return json.loads(found)
        with self.database.begin() as tx:
            version, value = tx.get(self.versions, key) or 0, tx.get(self.table, key)
        if value is not None:
            self.fill(key, version, value)
        return value

    def put(self, key, value):
        self.write(key, lambda tx: tx.put(self.table, key, value))

    def delete(self, key):
        self.write(key, lambda tx: tx.delete(self.table, key))

    def write(self, key, change):
        while True:
            try:
                with self.database.begin() as tx:
                    version = (tx.get(self.versions, key) or 0) + 1
                    self.announce(key, version)
                    tx.put(self.versions, key, version)
                    change(tx)
                return version
            except self.database.SerializationError:
                continue

    def announce(self, key, version):
        self.redis.eval(RAISE, 1, self.name(key), version, self.ttl)

    def fill(self, key, version, value):
        with contextlib.suppress(redis.RedisError):
            self.redis.eval(RAISE, 1, self.name(key), version, self.ttl, json.dumps(value))

    def name(self, key):
        return f"item:{quote(self.table, safe='')}:{key}"


class WriteAround(CachedTable):
    pass


class WriteThrough(CachedTable):
    def put(self, key, value):
        version = self.write(key, lambda tx: tx.put(self.table, key, value))
        if value:
            self.fill(key, version, value)
