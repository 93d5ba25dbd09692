"""`cachetools.TTLCache`, which is an LRU cache with one TTL, and counters around it.

Design: library
Breaks: none
"""

import math
import time
from typing import NamedTuple

from cachetools import Cache, TTLCache


class Stats(NamedTuple):
    hits: int
    misses: int
    insertions: int
    evictions: int
    expirations: int

    @property
    def hit_ratio(self):
        return None if self.hits == self.misses == 0 else self.hits / (self.hits + self.misses)

    @property
    def eviction_rate(self):
        return None if self.insertions == 0 else self.evictions / self.insertions


class Counted(TTLCache):
    """Tells evictions from expirations: `popitem` is asked for a victim, `expire` gives the dead."""

    evictions = expirations = 0

    def expire(self, time=None):
        dead = super().expire(time)
        self.expirations += len(dead)
        return dead

    def popitem(self):
        self.evictions += 1
        return super().popitem()


class LRU:
    def __init__(self, capacity, *, ttl=None, clock=time.monotonic):
        if not capacity > 0:
            raise ValueError("capacity must be positive")
        if ttl is None:
            ttl = math.inf
        elif not 0 < ttl < math.inf:
            raise ValueError("ttl must be positive and finite")
        self._cache = Counted(capacity, ttl, clock)
        self._hits = self._misses = self._insertions = 0

    def get(self, key, default=None):
        self._cache.expire()
        try:
            value = self._cache[key]
        except KeyError:
            self._misses += 1
            return default
        self._hits += 1
        return value

    def peek(self, key, default=None):
        self._cache.expire()
        return Cache.__getitem__(self._cache, key) if key in self._cache else default

    def put(self, key, value):
        self._cache.expire()
        self._insertions += key not in self._cache
        self._cache[key] = value

    def delete(self, key):
        self._cache.expire()
        there = key in self._cache
        if there:
            del self._cache[key]
        return there

    def __len__(self):
        self._cache.expire()
        return len(self._cache)

    def stats(self):
        self._cache.expire()
        counted = self._cache
        return Stats(self._hits, self._misses, self._insertions, counted.evictions, counted.expirations)
