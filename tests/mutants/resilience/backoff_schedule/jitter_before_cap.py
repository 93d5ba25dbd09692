"""As in redis-py's ExponentialWithJitterBackoff: the uncapped delay is drawn from, then cut.

Trap: jitter-before-cap
Rule: 5
Published: redis-py's ExponentialWithJitterBackoff
"""

import math
import random

MODES = ("none", "full", "equal", "decorrelated")


def check(base, cap, jitter):
    if not 0 < base <= cap < math.inf:
        raise ValueError(f"0 < base <= cap < inf is needed, not base {base}, cap {cap}")
    if jitter not in MODES:
        raise ValueError(f"jitter must be one of {MODES}, not {jitter!r}")


def ceiling(retry, base, cap):
    return float(min(cap, base * 2.0 ** min(retry - 1, 1000)))


def delay(retry, *, base, cap, jitter="none", rng=None, prev=None):
    check(base, cap, jitter)
    if retry < 1:
        raise ValueError(f"retry counts from 1, not {retry}")
    if jitter != "none" and rng is None:
        raise ValueError(f"{jitter} jitter needs an rng")
    longest = ceiling(retry, base, cap)
    if jitter == "full":
        return min(float(cap), rng.uniform(0, base * 2.0 ** min(retry - 1, 900)))
    if jitter == "equal":
        return rng.uniform(longest / 2, longest)
    if jitter == "decorrelated":
        prev = base if prev is None else prev
        if not base <= prev <= cap:
            raise ValueError(f"prev must be from base to cap, not {prev}")
        return float(min(cap, rng.uniform(base, 3 * prev)))
    return longest


class Backoff:
    def __init__(self, *, base, cap, jitter="full", rng=None):
        check(base, cap, jitter)
        self.options = {"base": base, "cap": cap, "jitter": jitter, "rng": rng or random.SystemRandom()}
        self.reset()

    def __iter__(self):
        return self

    def __next__(self):
        self.retry += 1
        self.prev = delay(self.retry, prev=self.prev, **self.options)
        return self.prev

    def reset(self):
        self.retry = 0
        self.prev = None
