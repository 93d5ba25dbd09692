"""Celery's own interval, with the factor and the maximum prepared as its automatic retry prepares them.

Only its growth is used: its jitter draws whole seconds from the module `random` and takes no generator. A cap
below one second becomes 0 there, so a delay can be 0 without any jitter.

Design: celery.utils.time.get_exponential_backoff_interval, jitter from random()
Breaks: 2, 9 because Celery counts in whole seconds and takes a factor below 1 for 1
"""

import math
import random

from celery.utils.time import get_exponential_backoff_interval

SHARES = {"none": (1.0, 0.0), "full": (0.0, 1.0), "equal": (0.5, 0.5)}
"""Of the whole delay: the fixed part, and the part that chance decides."""


def delay(retry, *, base, cap, jitter="none", rng=None, prev=None):
    if math.isnan(base) or math.isnan(cap) or base <= 0 or base > cap or cap == math.inf:
        raise ValueError(f"0 < base <= cap < inf is needed; got base {base!r}, cap {cap!r}")
    if retry < 1:
        raise ValueError(f"retry counts from 1; got {retry!r}")
    if rng is None and jitter != "none":
        raise ValueError(f"{jitter} jitter needs an rng")
    if jitter == "decorrelated":
        start = base if prev is None else prev
        if math.isnan(start) or start < base or start > cap:
            raise ValueError(f"prev {prev!r} is not from base {base!r} to cap {cap!r}")
        return float(min(base + rng.random() * (3 * start - base), cap))
    if jitter not in SHARES:
        raise ValueError(f"jitter is none, full, equal or decorrelated; got {jitter!r}")
    whole = get_exponential_backoff_interval(int(max(1.0, base)), retry - 1, int(cap))
    fixed, chance = SHARES[jitter]
    return whole * fixed + (whole * chance * rng.random() if chance else 0.0)


def Backoff(*, base, cap, jitter="full", rng=None):
    rng = random.Random(int.from_bytes(random.SystemRandom().randbytes(32), "big")) if rng is None else rng
    delay(1, base=base, cap=cap, jitter=jitter, rng=random.Random())  # for its checks
    return Delays(base, cap, jitter, rng)


class Delays:
    def __init__(self, *options):
        self.options = options
        self.past = []

    def __iter__(self):
        return self

    def __next__(self):
        base, cap, jitter, rng = self.options
        self.past.append(delay(len(self.past) + 1, base=base, cap=cap, jitter=jitter, rng=rng, prev=self.prev))
        return self.past[-1]

    @property
    def prev(self):
        return self.past[-1] if self.past else None

    def reset(self):
        self.past.clear()
