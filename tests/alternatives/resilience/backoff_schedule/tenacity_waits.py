"""tenacity's wait strategies: the library decides how the delay grows and adds up, the generator is ours.

Its own random strategies (`wait_random`, `wait_random_exponential`) draw from the module `random` and take no
generator, so the draw is a strategy of our own, combined with theirs. Its arguments are not checked either.

Design: tenacity's wait_exponential, wait_fixed and wait_combine
Breaks: none
"""

import itertools
import math
import random

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_exponential, wait_fixed


class wait_part(wait_base):
    """A random part, drawn from `rng`, of what another strategy says."""

    def __init__(self, whole, rng):
        self.whole = whole
        self.rng = rng

    def __call__(self, retry_state):
        return self.whole(retry_state) * self.rng.random()


class wait_at_most(wait_base):
    def __init__(self, cap, wait):
        self.cap = cap
        self.wait = wait

    def __call__(self, retry_state):
        return min(self.cap, self.wait(retry_state))


def strategy(base, cap, jitter, rng, prev):
    if jitter == "none":
        return wait_exponential(multiplier=base, max=cap)
    if jitter == "full":
        return wait_part(wait_exponential(multiplier=base, max=cap), rng)
    if jitter == "equal":
        half = wait_exponential(multiplier=base / 2, max=cap / 2)
        return half + wait_part(half, rng)
    return wait_at_most(cap, wait_fixed(base) + wait_part(wait_fixed(3 * prev - base), rng))


def delay(retry, *, base, cap, jitter="none", rng=None, prev=None):
    valid(base, cap, jitter)
    if retry < 1 or (jitter != "none" and rng is None):
        raise ValueError(f"retry counts from 1 and {jitter} jitter needs an rng; got {retry!r}, {rng!r}")
    prev = base if prev is None else prev
    if jitter == "decorrelated" and not base <= prev <= cap:
        raise ValueError(f"prev {prev!r} is not from base {base!r} to cap {cap!r}")
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = retry
    return float(strategy(base, cap, jitter, rng, prev)(state))


def valid(base, cap, jitter):
    if not (math.isfinite(base) and math.isfinite(cap) and 0 < base <= cap):
        raise ValueError(f"0 < base <= cap is needed, both finite; got base {base!r}, cap {cap!r}")
    if jitter not in {"none", "full", "equal", "decorrelated"}:
        raise ValueError(f"unknown jitter {jitter!r}")


class Backoff:
    def __init__(self, *, base, cap, jitter="full", rng=None):
        valid(base, cap, jitter)
        self._options = {"base": base, "cap": cap, "jitter": jitter, "rng": rng or random.SystemRandom()}
        self.reset()

    def reset(self):
        self._retries, self._prev = itertools.count(1), None

    def __iter__(self):
        return self

    def __next__(self):
        self._prev = delay(next(self._retries), prev=self._prev, **self._options)
        return self._prev
