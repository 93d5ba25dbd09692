"""redis-py's backoff classes: `ExponentialBackoff` for the growth, `ConstantBackoff` for what does not grow.

Its jittered classes draw from the module `random`, so the draw is ours.

Design: redis.backoff.ExponentialBackoff, uniform draws, the iterator as a generator
Breaks: 3, 8, 12 because ExponentialBackoff.compute takes the power before the cap and overflows after 1,024 failures,
    with jitter as without, and the iterator with it
"""

import random
from math import isfinite

from redis.backoff import ConstantBackoff, ExponentialBackoff

MODES = ["none", "full", "equal", "decorrelated"]


def delay(retry, *, base, cap, jitter="none", rng=None, prev=None):
    backoff = backoff_of(base, cap, jitter)
    if retry < 1:
        raise ValueError(f"the first retry is number 1, not {retry!r}")
    if jitter == "none":
        return float(backoff.compute(retry - 1))
    if rng is None:
        raise ValueError(f"no rng for {jitter} jitter")
    if jitter == "decorrelated":
        if prev is not None and not base <= prev <= cap:
            raise ValueError(f"prev must be from {base!r} to {cap!r}, not {prev!r}")
        drawn = rng.uniform(base, 3 * (base if prev is None else prev))
        return float(min(cap, ConstantBackoff(drawn).compute(retry - 1)))
    high = backoff.compute(retry - 1)
    return rng.uniform(high / 2 if jitter == "equal" else 0, high)


def backoff_of(base, cap, jitter):
    if jitter not in MODES or not isfinite(base) or not isfinite(cap) or not 0 < base <= cap:
        raise ValueError(f"0 < base <= cap and a jitter of {MODES} are needed; got {base!r}, {cap!r}, {jitter!r}")
    return ExponentialBackoff(cap=cap, base=base)


class Backoff:
    def __init__(self, *, base, cap, jitter="full", rng=None):
        backoff_of(base, cap, jitter)
        self._arguments = {"base": base, "cap": cap, "jitter": jitter, "rng": rng or random.Random()}
        self.reset()

    def _delays(self):
        prev, retry = None, 0
        while True:
            retry += 1
            prev = delay(retry, prev=prev, **self._arguments)
            yield prev

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._running)

    def reset(self):
        self._running = self._delays()
