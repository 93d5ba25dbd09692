"""Retry delays that grow, stop growing, and never march in step: capped exponential backoff with jitter.

Sources: Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), for the jitter modes;
Celery's `get_exponential_backoff_interval` for the growth.
"""

from __future__ import annotations

import random
from typing import Literal

#: How chance enters a delay: not at all, or by one of the three formulas of the README.
Jitter = Literal["none", "full", "equal", "decorrelated"]


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
    raise NotImplementedError("delay is yours to write; start with rule 1 of README.md")


class Backoff:
    """The delays before retry 1, 2, 3, … of one operation, as an iterator without end.

    Make one for each operation that is being retried: it remembers how far that operation has come. It is
    not safe to share between threads.
    """

    def __init__(self, *, base: float, cap: float, jitter: Jitter = "full", rng: random.Random | None = None) -> None:
        """`base` and `cap` in seconds, all as in `delay`; raises ValueError as `delay` would, but right here.

        Without an `rng` the instance draws numbers that no other instance and no other process will draw,
        whatever anybody has seeded.
        """
        raise NotImplementedError("Backoff.__init__ is yours to write; start with rule 12 of README.md")

    def __iter__(self) -> Backoff:
        """The iterator itself; it does not start over."""
        raise NotImplementedError("Backoff.__iter__ is yours to write; its rules stand in README.md")

    def __next__(self) -> float:
        """Seconds to wait before the next retry, as `delay` says; never raises StopIteration."""
        raise NotImplementedError("Backoff.__next__ is yours to write; its rules stand in README.md")

    def reset(self) -> None:
        """After a success: the next delay is again the one before retry 1. The `rng` is not rewound."""
        raise NotImplementedError("Backoff.reset is yours to write; its rules stand in README.md")
