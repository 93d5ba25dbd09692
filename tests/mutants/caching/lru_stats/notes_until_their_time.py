"""Leaves the times of what was deleted or evicted in a deque, until their time has come.

Trap: held-too-long
Rule: 18
"""

import math
import time
from collections import OrderedDict, deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Stats:
    hits: int
    misses: int
    insertions: int
    evictions: int
    expirations: int

    @property
    def hit_ratio(self):
        total = self.hits + self.misses
        return self.hits / total if total else None

    @property
    def eviction_rate(self):
        return self.evictions / self.insertions if self.insertions else None


class LRU:
    def __init__(self, capacity, *, ttl=None, clock=time.monotonic):
        if capacity < 1:
            raise ValueError(f"no capacity: {capacity}")
        if ttl is not None and not 0 < ttl < math.inf:
            raise ValueError(f"no ttl: {ttl}")
        self.capacity = capacity
        self.ttl = math.inf if ttl is None else ttl
        self.clock = clock
        self.values = OrderedDict()
        self.ends = {}
        self.notes = deque()
        self.hits = self.misses = self.insertions = self.evictions = self.expirations = 0

    def get(self, key, default=None):
        self.expire()
        if key not in self.values:
            self.misses += 1
            return default
        self.hits += 1
        self.values.move_to_end(key)
        return self.values[key]

    def peek(self, key, default=None):
        self.expire()
        return self.values.get(key, default)

    def put(self, key, value):
        now = self.expire()
        if key not in self.values:
            if len(self.values) >= self.capacity:
                self.evict()
            self.insertions += 1
        self.values[key] = value
        self.values.move_to_end(key)
        self.ends[key] = now + self.ttl
        self.notes.append((self.ends[key], key))

    def evict(self):
        victim, _ = self.values.popitem(last=False)
        del self.ends[victim]
        self.evictions += 1

    def delete(self, key):
        self.expire()
        if key not in self.values:
            return False
        del self.values[key], self.ends[key]
        return True

    def __len__(self):
        self.expire()
        return len(self.values)

    def stats(self):
        self.expire()
        return Stats(self.hits, self.misses, self.insertions, self.evictions, self.expirations)

    def expire(self):
        now = self.clock()
        while self.notes and self.notes[0][0] <= now:
            end, key = self.notes.popleft()
            if self.ends.get(key) == end:
                del self.values[key], self.ends[key]
                self.expirations += 1
        return now
