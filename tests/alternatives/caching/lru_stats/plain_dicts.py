"""Two plain dicts, which keep the order of insertion: to move an entry to the end it is taken out and put in again.

Ages are read from a queue of batches: all puts of one instant share a batch.

Design: dict order by pop and reinsertion; a deque of sets of keys for expiry.
Breaks: none
"""

import math
import time
from collections import Counter, deque
from types import MappingProxyType


class Stats:
    __slots__ = ("_counts",)

    def __init__(self, counts):
        self._counts = MappingProxyType(dict(counts))

    hits = property(lambda self: self._counts.get("hit", 0))
    misses = property(lambda self: self._counts.get("miss", 0))
    insertions = property(lambda self: self._counts.get("new", 0))
    evictions = property(lambda self: self._counts.get("evicted", 0))
    expirations = property(lambda self: self._counts.get("expired", 0))

    @property
    def hit_ratio(self):
        try:
            return self.hits / (self.hits + self.misses)
        except ZeroDivisionError:
            return None

    @property
    def eviction_rate(self):
        try:
            return self.evictions / self.insertions
        except ZeroDivisionError:
            return None


class LRU:
    def __init__(self, capacity, *, ttl=None, clock=time.monotonic):
        if capacity < 1 or not (ttl is None or (ttl > 0 and math.isfinite(ttl))):
            raise ValueError((capacity, ttl))
        self.capacity, self.ttl, self.clock = capacity, ttl, clock
        self.entries = {}  # key: (value, its batch)
        self.batches = deque()  # (time of the puts, the keys that were put last then)
        self.counts = Counter()

    def tidy(self):
        now = self.clock()
        while self.batches and (
            not self.batches[0][1] or (self.ttl is not None and self.batches[0][0] + self.ttl <= now)
        ):
            _, keys = self.batches.popleft()
            for key in keys:
                del self.entries[key]
            self.counts["expired"] += len(keys)
        if len(self.batches) > 2 * self.capacity + 2:
            self.batches = deque(batch for batch in self.batches if batch[1])
        return now

    def drop(self, key):
        _, batch = self.entries.pop(key)
        batch.discard(key)

    def get(self, key, default=None):
        self.tidy()
        entry = self.entries.pop(key, None)
        self.counts["hit" if entry else "miss"] += 1
        if entry is None:
            return default
        self.entries[key] = entry
        return entry[0]

    def peek(self, key, default=None):
        self.tidy()
        return self.entries.get(key, (default,))[0]

    def put(self, key, value):
        now = self.tidy()
        if key in self.entries:
            self.drop(key)
        else:
            self.counts["new"] += 1
        if len(self.entries) == self.capacity:
            self.drop(next(iter(self.entries)))
            self.counts["evicted"] += 1
        if not self.batches or self.batches[-1][0] != now:
            self.batches.append((now, set()))
        self.batches[-1][1].add(key)
        self.entries[key] = (value, self.batches[-1][1])

    def delete(self, key):
        self.tidy()
        if key not in self.entries:
            return False
        self.drop(key)
        return True

    def __len__(self):
        self.tidy()
        return len(self.entries)

    def stats(self):
        self.tidy()
        return Stats(self.counts)
