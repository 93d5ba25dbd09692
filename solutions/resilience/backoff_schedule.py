"""Retry delays that grow, stop growing, and never march in step: capped exponential backoff with jitter.

Sources: Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), for the jitter modes;
Celery's `get_exponential_backoff_interval` for the growth.
"""

from __future__ import annotations

import math
import random
from typing import Literal, get_args

#: How chance enters a delay: not at all, or by one of the three formulas of the README.
Jitter = Literal["none", "full", "equal", "decorrelated"]


# stub: rule 1
def delay(
    retry: int,
    *,
    base: float,
    cap: float,
    jitter: Jitter = "none",
    rng: random.Random | None = None,
    prev: float | None = None,
) -> float:
    """Seconds to wait before retry number `retry`, as a float from 0 to `cap`.

    `retry` counts from 1: retry 1 follows the first failure. With d = min(cap, base * 2**(retry - 1)) the
    delay is d ("none"), uniform in [0, d] ("full"), uniform in [d/2, d] ("equal"), or uniform in
    [base, 3 * prev] and then cut at `cap` ("decorrelated"), where `prev` is the delay before the previous
    retry in seconds, None if there was none; it then counts as `base`.

    Each mode but "none" takes exactly one number from `rng`, by `rng.random()` or `rng.uniform(low, high)`;
    the lowest number gives the shortest delay. Nothing else is random, and nothing is remembered.

    Raises ValueError if `retry` < 1, unless 0 < base <= cap and both are finite, for an unknown `jitter`, for
    a missing `rng` where one is needed, and in "decorrelated" for a `prev` outside [base, cap].
    """
    _check(base, cap, jitter)
    if retry < 1:
        raise ValueError(f"retry counts from 1 (the one after the first failure), got {retry!r}")
    if jitter == "none":
        return _ceiling(retry, base, cap)
    if rng is None:
        raise ValueError(f"jitter={jitter!r} needs an rng, for example random.Random()")
    if jitter == "decorrelated":
        last = base if prev is None else prev
        if not base <= last <= cap:  # not `last < base or ...`: NaN must fail too
            raise ValueError(f"prev must be the previous delay, from base={base!r} to cap={cap!r}, got {prev!r}")
        return min(float(cap), rng.uniform(base, 3 * last))
    ceiling = _ceiling(retry, base, cap)
    # The cap comes before the chance. The other way round every late retry would be the cap exactly.
    return rng.uniform(ceiling / 2 if jitter == "equal" else 0.0, ceiling)


class Backoff:
    """The delays before retry 1, 2, 3, … of one operation, as an iterator without end.

    Make one for each operation that is being retried: it remembers how far that operation has come. It is
    not safe to share between threads.
    """

    # stub: rule 12
    def __init__(self, *, base: float, cap: float, jitter: Jitter = "full", rng: random.Random | None = None) -> None:
        """`base` and `cap` in seconds, all as in `delay`; raises ValueError as `delay` would, but right here.

        Without an `rng` the instance draws numbers that no other instance and no other process will draw,
        whatever anybody has seeded.
        """
        _check(base, cap, jitter)
        self._base = base
        self._cap = cap
        self._jitter: Jitter = jitter
        # Not random.Random(): a pre-forking server that builds this before it forks would hand each worker a
        # copy of one generator's state, and the workers would wait in step.
        self._rng = random.SystemRandom() if rng is None else rng
        self._retry = 0
        self._prev: float | None = None

    def __iter__(self) -> Backoff:
        """The iterator itself; it does not start over."""
        return self

    def __next__(self) -> float:
        """Seconds to wait before the next retry, as `delay` says; never raises StopIteration."""
        self._retry += 1
        self._prev = delay(
            self._retry, base=self._base, cap=self._cap, jitter=self._jitter, rng=self._rng, prev=self._prev
        )
        return self._prev

    def reset(self) -> None:
        """After a success: the next delay is again the one before retry 1. The `rng` is not rewound."""
        self._retry = 0
        self._prev = None


def _check(base: float, cap: float, jitter: str) -> None:
    # `base <= cap < inf` is False for NaN, which `base > cap or cap == inf` would let through.
    if not 0 < base <= cap < math.inf:
        raise ValueError(f"base and cap are seconds, 0 < base <= cap < inf; got base={base!r}, cap={cap!r}")
    if jitter not in get_args(Jitter):
        raise ValueError(f"jitter must be one of {', '.join(get_args(Jitter))}; got {jitter!r}")


def _ceiling(retry: int, base: float, cap: float) -> float:
    """min(cap, base * 2**(retry - 1)), also for a `retry` whose power of two no float can hold."""
    try:
        return min(float(cap), math.ldexp(base, retry - 1))
    except OverflowError:
        return float(cap)
