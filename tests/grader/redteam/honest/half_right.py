"""Half a solution.

Kata: backoff_schedule
Attack: none; delays without jitter are right; chance and the iterator are not written yet.
Status: failed
Points: 5
"""

import math


def delay(retry, *, base, cap, jitter="none", rng=None, prev=None):
    if not 0 < base <= cap < math.inf:
        raise ValueError(f"base {base}, cap {cap}")
    if jitter != "none":
        raise NotImplementedError("jitter comes next")
    return float(cap) if retry > 900 else min(float(cap), math.ldexp(base, retry - 1))


class Backoff:
    """Yields delays, always of the first kind."""

    def __init__(self, *, base, cap, jitter="none", rng=None):
        delay(1, base=base, cap=cap)
        if jitter not in ("none", "full", "equal", "decorrelated"):
            raise ValueError("jitter")
        self.base, self.cap = base, cap
        self.reset()

    def reset(self):
        self.retry = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.retry += 1
        return delay(self.retry, base=self.base, cap=self.cap)
