"""A solution that uses threads, and ends them.

Kata: backoff_schedule
Attack: none; computes in threads, under a lock, and joins them.
Status: passed
Points: 17
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom

MODES = frozenset({"none", "full", "equal", "decorrelated"})
INFINITY = float("inf")


def refuse_nonsense(base, cap, jitter):
    sensible = base > 0 and cap >= base and cap != INFINITY
    if not sensible or jitter not in MODES:
        raise ValueError(f"cannot work with base {base!r}, cap {cap!r}, jitter {jitter!r}")


def between(low, high, rng):
    return low + (high - low) * rng.random()


def in_pool(function, *arguments):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def draw(level, base, cap, jitter, rng, prev):
    """One delay, for a level that is capped already."""
    match jitter:
        case "none":
            return level
        case "full":
            return between(0.0, level, rng)
        case "equal":
            return between(level / 2, level, rng)
        case _:
            return min(cap, between(base, prev * 3, rng))


def delay(retry, *, base, cap, jitter="none", rng=None, prev=None):
    refuse_nonsense(base, cap, jitter)
    if retry < 1:
        raise ValueError(f"there is no retry {retry!r}; the first is 1")
    if jitter != "none" and rng is None:
        raise ValueError("chance without an rng")
    base, cap = float(base), float(cap)
    prev = base if prev is None else prev
    if jitter == "decorrelated" and not (prev >= base and prev <= cap):
        raise ValueError(f"{prev!r} cannot have been the previous delay")
    level = in_pool(float, base)
    while retry > 1 and level < cap:
        level, retry = min(cap, level * 2), retry - 1
    return draw(level, base, cap, jitter, rng, prev)


class Backoff:
    def __init__(self, *, base, cap, jitter="full", rng=None):
        refuse_nonsense(base, cap, jitter)
        self.base, self.cap, self.jitter = float(base), float(cap), jitter
        self.rng = SystemRandom() if rng is None else rng
        self.lock = threading.RLock()
        self.reset()

    def reset(self):
        self.level = self.prev = self.base

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            thread = threading.Thread(target=self.step)
            thread.start()
            thread.join()
            return self.prev

    def step(self):
        self.prev = draw(self.level, self.base, self.cap, self.jitter, self.rng, self.prev)
        self.level = min(self.cap, self.level * 2)
