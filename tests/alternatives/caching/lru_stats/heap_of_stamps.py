"""Every use gets a number, and heaps find the least one and the earliest end. Stale notes are skipped, and swept up
before they outnumber the entries.

Design: two heaps with lazy deletion; expirations worked out from the balance of the other numbers.
Breaks: none
"""

import heapq
import itertools
import math
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stats:
    hits: int
    misses: int
    insertions: int
    evictions: int
    expirations: int
    hit_ratio: float | None = field(init=False)
    eviction_rate: float | None = field(init=False)

    def __post_init__(self):
        gets = self.hits + self.misses
        object.__setattr__(self, "hit_ratio", self.hits / gets if gets else None)
        object.__setattr__(self, "eviction_rate", self.evictions / self.insertions if self.insertions else None)


class LRU:
    def __init__(self, capacity, *, ttl=None, clock=time.monotonic):
        if ttl is None:
            ttl = math.inf
        elif math.isnan(ttl) or math.isinf(ttl) or ttl <= 0:
            raise ValueError("ttl")
        if capacity not in range(1, 2**63):
            raise ValueError("capacity")
        self.room, self.lifetime, self.now = capacity, ttl, clock
        self.numbers = itertools.count()
        self.entries = {}  # key: [value, number of the last use, number of the last put, end]
        self.uses = []  # (number, key)
        self.ends = []  # (end, number, key)
        self.hits = self.gets = self.put_new = self.evicted = self.deleted = 0

    def prune(self):
        now = self.now()
        while self.ends and (self.ends[0][0] <= now or self.stale_end(self.ends[0])):
            note = heapq.heappop(self.ends)
            if not self.stale_end(note):
                del self.entries[note[2]]
        most = 2 * len(self.entries) + 16
        if len(self.uses) > most:
            self.uses = [(entry[1], key) for key, entry in self.entries.items()]
            heapq.heapify(self.uses)
        if len(self.ends) > most:
            self.ends = [(entry[3], entry[2], key) for key, entry in self.entries.items()]
            heapq.heapify(self.ends)
        return now

    def stale_end(self, note):
        entry = self.entries.get(note[2])
        return entry is None or entry[2] != note[1]

    def used(self, key):
        self.entries[key][1] = number = next(self.numbers)
        heapq.heappush(self.uses, (number, key))

    def get(self, key, default=None):
        self.prune()
        there = key in self.entries
        self.gets += 1
        if not there:
            return default
        self.hits += 1
        self.used(key)
        return self.entries[key][0]

    def peek(self, key, default=None):
        self.prune()
        return self.entries[key][0] if key in self.entries else default

    def put(self, key, value):
        now = self.prune()
        if key not in self.entries:
            self.put_new += 1
            while len(self.entries) == self.room:
                number, least = heapq.heappop(self.uses)
                if least in self.entries and self.entries[least][1] == number:
                    del self.entries[least]
                    self.evicted += 1
        number = next(self.numbers)
        self.entries[key] = [value, None, number, now + self.lifetime]
        heapq.heappush(self.ends, (now + self.lifetime, number, key))
        self.used(key)

    def delete(self, key):
        self.prune()
        found = self.entries.pop(key, None)
        self.deleted += found is not None
        return found is not None

    def __len__(self):
        self.prune()
        return len(self.entries)

    def stats(self):
        alive = len(self)
        expired = self.put_new - self.evicted - self.deleted - alive
        return Stats(self.hits, self.gets - self.hits, self.put_new, self.evicted, expired)
