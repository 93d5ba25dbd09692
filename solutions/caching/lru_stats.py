"""An in-process cache of bounded size and age, with numbers that say how well it works.

Sources: Redis documentation, "Key eviction" and INFO (`evicted_keys` and `expired_keys` are two counters);
Caffeine's and Guava's `CacheStats`; Python's `collections.OrderedDict` and `functools.lru_cache`.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Stats:
    """What a cache has done since it was made; a snapshot, which does not change any more.

    hits, misses: calls of `get` that found a live entry, and those that did not.
    insertions: calls of `put` that found no live entry of their key.
    evictions: live entries that had to make room.
    expirations: entries whose time has run out, whether or not anybody has asked for them since.
    """

    hits: int
    misses: int
    insertions: int
    evictions: int
    expirations: int

    # stub: rule 15
    @property
    def hit_ratio(self) -> float | None:
        """Hits divided by all calls of `get`, 0.0 to 1.0; None before the first call."""
        return _share(self.hits, self.hits + self.misses)

    # stub: rule 15
    @property
    def eviction_rate(self) -> float | None:
        """Evictions divided by insertions, 0.0 to 1.0; None before the first insertion."""
        return _share(self.evictions, self.insertions)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class LRU(Generic[K, V]):
    """A cache of at most `capacity` entries, each for at most `ttl` seconds. For one thread.

    capacity: how many live entries it holds, at least 1.
    ttl: seconds that an entry lives after its last `put`, positive and finite. None: no entry expires.
    clock: gives the time in seconds, and never goes back; where its zero is does not matter.

    Raises ValueError for a capacity or ttl out of range. All methods that take a key raise TypeError if it cannot be
    hashed, and then nothing has changed.
    """

    # stub: rule 19
    def __init__(self, capacity: int, *, ttl: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is at least 1, not {capacity!r}")
        # Asked as "is it right?", because every comparison with NaN is False.
        if ttl is not None and not 0 < ttl < math.inf:
            raise ValueError(f"ttl is None or positive, finite seconds, not {ttl!r}")
        self._capacity = capacity
        self._ttl = math.inf if ttl is None else ttl
        self._clock = clock
        self._values: OrderedDict[K, V] = OrderedDict()  # least recently used first
        # When each entry expires. All live equally long, so the order of writing is the order of expiry.
        self._ends: OrderedDict[K, float] = OrderedDict()
        self._hits = self._misses = self._insertions = self._evictions = self._expirations = 0

    # stub: rule 1
    def get(self, key: K, default: V | None = None) -> V | None:
        """The value of the live entry of `key`, which is then the most recently used one; otherwise `default`."""
        self._expire()
        if key not in self._values:
            self._misses += 1
            return default
        self._hits += 1
        self._values.move_to_end(key)
        return self._values[key]

    # stub: rule 3
    def peek(self, key: K, default: V | None = None) -> V | None:
        """Like `get`, but it is no use of the entry, and neither a hit nor a miss."""
        self._expire()
        return self._values.get(key, default)

    # stub: rule 1
    def put(self, key: K, value: V) -> None:
        """Store `value` for `ttl` seconds from now, as the most recently used entry.

        If there is no room, the least recently used live entry is evicted. An entry of the same key is replaced.
        """
        now = self._expire()
        if key not in self._values:
            if len(self._values) == self._capacity:
                victim, _ = self._values.popitem(last=False)
                del self._ends[victim]
                self._evictions += 1
            self._insertions += 1
        self._values[key] = value
        self._values.move_to_end(key)
        self._ends[key] = now + self._ttl
        self._ends.move_to_end(key)

    # stub: rule 6
    def delete(self, key: K) -> bool:
        """Remove the entry of `key`; whether there was a live one."""
        self._expire()
        if key not in self._values:
            return False
        del self._values[key], self._ends[key]
        return True

    # stub: rule 10
    def __len__(self) -> int:
        """How many live entries there are."""
        self._expire()
        return len(self._values)

    # stub: rule 12
    def stats(self) -> Stats:
        """The numbers as of now."""
        self._expire()
        return Stats(self._hits, self._misses, self._insertions, self._evictions, self._expirations)

    def _expire(self) -> float:
        """Remove what has expired; the time as of which nothing else has. Every call begins so.

        So no method has to know that entries expire, and nothing is counted late or twice. Each entry is removed
        once, which its `put` has paid for.
        """
        now = self._clock()
        while self._ends:
            oldest = next(iter(self._ends))
            if now < self._ends[oldest]:
                break
            del self._values[oldest], self._ends[oldest]
            self._expirations += 1
        return now
