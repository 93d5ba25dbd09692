"""An entry keeps the TTL of the lease that it replaces, which began when the call did.

Trap: wrong-lifetime
Rule: 11
"""

import contextlib
import json
import math
import uuid

import redis

# Under a key stands "=" and JSON, "?" and a reader's lease, "!" and a writer's, or "x" after a conflict of writers.
MARK = """
local found = redis.call('GET', KEYS[1])
local mark = ARGV[1]
if found and (string.sub(found, 1, 1) == '!' or found == 'x') and found ~= mark then mark = 'x' end
redis.call('SET', KEYS[1], mark, 'PX', ARGV[2])
"""

REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return end
if ARGV[3] then redis.call('SET', KEYS[1], ARGV[3], 'KEEPTTL') else redis.call('DEL', KEYS[1]) end
"""


class CachedTable:
    through = False

    def __init__(self, client, database, *, table, ttl):
        if not (ttl >= 0.001 and math.isfinite(ttl)):
            raise ValueError("ttl: seconds, at least 0.001")
        self.client, self.database, self.table, self.milliseconds = client, database, table, round(ttl * 1000)
        self.replace, self.mark = client.register_script(REPLACE), client.register_script(MARK)

    def _name(self, key):
        return f"{len(self.table)}/{self.table}/{key}"

    def _end(self, key, lease, *value):
        entry = ["=" + json.dumps(v) for v in value]
        with contextlib.suppress(redis.RedisError):
            self.replace(keys=[self._name(key)], args=[lease, self.milliseconds, *entry])

    def get(self, key):
        lease = found = None
        with contextlib.suppress(redis.RedisError):
            lease = "?" + uuid.uuid4().hex
            found = self.client.set(self._name(key), lease, nx=True, get=True, px=self.milliseconds)
        found = found.decode() if isinstance(found, bytes) else found
        if found and found[0] == "=":
            return json.loads(found[1:])
        with self.database.begin() as tx:
            value = tx.get(self.table, key)
        if found is None:
            self._end(key, lease, *([] if value is None else [value]))
        return value

    def _write(self, key, change, *value):
        lease = "!" + uuid.uuid4().hex
        self.mark(keys=[self._name(key)], args=[lease, self.milliseconds])
        while True:
            try:
                with self.database.begin() as tx:
                    change(tx)
                break
            except self.database.SerializationError:
                pass
        self._end(key, lease, *value)

    def put(self, key, value):
        self._write(key, lambda tx: tx.put(self.table, key, value), *([value] if self.through else []))

    def delete(self, key):
        self._write(key, lambda tx: tx.delete(self.table, key))


class WriteThrough(CachedTable):
    through = True


class WriteAround(CachedTable):
    pass
