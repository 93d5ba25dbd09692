"""An in-process cache of bounded size and age, with numbers that say how well it works.

Sources: Redis documentation, "Key eviction" and INFO (`evicted_keys` and `expired_keys` are two counters);
Caffeine's and Guava's `CacheStats`; Python's `collections.OrderedDict` and `functools.lru_cache`.
"""

from __future__ import annotations

import time
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

    @property
    def hit_ratio(self) -> float | None:
        """Hits divided by all calls of `get`, 0.0 to 1.0; None before the first call."""
        raise NotImplementedError("Stats.hit_ratio is yours to write; start with rule 15 of README.md")

    @property
    def eviction_rate(self) -> float | None:
        """Evictions divided by insertions, 0.0 to 1.0; None before the first insertion."""
        raise NotImplementedError("Stats.eviction_rate is yours to write; start with rule 15 of README.md")


class LRU(Generic[K, V]):
    """A cache of at most `capacity` entries, each for at most `ttl` seconds. For one thread.

    capacity: how many live entries it holds, at least 1.
    ttl: seconds that an entry lives after its last `put`, positive and finite. None: no entry expires.
    clock: gives the time in seconds, and never goes back; where its zero is does not matter.

    Raises ValueError for a capacity or ttl out of range. All methods that take a key raise TypeError if it cannot be
    hashed, and then nothing has changed.
    """

    def __init__(self, capacity: int, *, ttl: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        raise NotImplementedError("LRU.__init__ is yours to write; start with rule 19 of README.md")

    def get(self, key: K, default: V | None = None) -> V | None:
        """The value of the live entry of `key`, which is then the most recently used one; otherwise `default`."""
        raise NotImplementedError("LRU.get is yours to write; start with rule 1 of README.md")

    def peek(self, key: K, default: V | None = None) -> V | None:
        """Like `get`, but it is no use of the entry, and neither a hit nor a miss."""
        raise NotImplementedError("LRU.peek is yours to write; start with rule 3 of README.md")

    def put(self, key: K, value: V) -> None:
        """Store `value` for `ttl` seconds from now, as the most recently used entry.

        If there is no room, the least recently used live entry is evicted. An entry of the same key is replaced.
        """
        raise NotImplementedError("LRU.put is yours to write; start with rule 1 of README.md")

    def delete(self, key: K) -> bool:
        """Remove the entry of `key`; whether there was a live one."""
        raise NotImplementedError("LRU.delete is yours to write; start with rule 6 of README.md")

    def __len__(self) -> int:
        """How many live entries there are."""
        raise NotImplementedError("LRU.__len__ is yours to write; start with rule 10 of README.md")

    def stats(self) -> Stats:
        """The numbers as of now."""
        raise NotImplementedError("LRU.stats is yours to write; start with rule 12 of README.md")
