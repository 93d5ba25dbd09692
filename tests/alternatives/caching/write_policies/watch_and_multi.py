"""Versions in one JSON text a key, compared under WATCH and stored by MULTI; deletes are cached as well.

Design: optimistic locking
Breaks: none
"""

import json
import logging
import urllib.parse

import redis


class _Shared:
    def __init__(self, client, database, *, table, ttl, store):
        if not 0.001 <= ttl <= 1e12:
            raise ValueError(f"unusable ttl: {ttl}")
        self._client, self._database, self._table, self._store = client, database, table, store
        self._px = int(ttl * 1000 + 0.5)

    def _entry(self, key):
        return "/".join(urllib.parse.quote(part, safe="") for part in ("write", self._table, key))

    def _advance(self, key, entry):
        """Store [version, item...] unless a higher version is there."""
        name = self._entry(key)
        with self._client.pipeline() as pipe:
            while True:
                try:
                    pipe.watch(name)
                    there = pipe.get(name)
                    if there is not None and json.loads(there)[0] > entry[0]:
                        return
                    pipe.multi()
                    pipe.psetex(name, self._px, json.dumps(entry))
                    pipe.execute()
                    return
                except redis.WatchError:
                    continue

    def _try_to_advance(self, key, entry):
        try:
            self._advance(key, entry)
        except redis.RedisError:
            logging.getLogger(__name__).warning("not stored: %s", key)

    def read(self, key):
        try:
            entry = json.loads(self._client.get(self._entry(key)) or "[0]")
        except redis.RedisError:
            entry = [0]
        if len(entry) == 2:
            return entry[1]
        with self._database.begin() as tx:
            item, log = tx.get(self._table, key), tx.get("_log", f"{len(self._table)} {self._table} {key}")
        self._try_to_advance(key, [log["writes"] if log else 0, item])
        return item

    def write(self, key, item):
        record = f"{len(self._table)} {self._table} {key}"
        done = False
        while not done:
            try:
                with self._database.begin() as tx:
                    writes = 1 + (tx.get("_log", record) or {"writes": 0})["writes"]
                    tx.put("_log", record, {"writes": writes})
                    if item is None:
                        tx.delete(self._table, key)
                    else:
                        tx.put(self._table, key, item)
                    self._advance(key, [writes])
                done = True
            except self._database.SerializationError:
                done = False
        if self._store:
            self._try_to_advance(key, [writes, item])


class WriteThrough:
    _store = True

    def __init__(self, client, database, *, table, ttl):
        self._shared = _Shared(client, database, table=table, ttl=ttl, store=self._store)

    def get(self, key):
        return self._shared.read(key)

    def put(self, key, value):
        self._shared.write(key, value)

    def delete(self, key):
        self._shared.write(key, None)


class WriteAround(WriteThrough):
    _store = False
