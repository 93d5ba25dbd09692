"""What a call costs, counted and never timed: for rules such as "the work does not grow with the size".

Two measures, because each misses what the other sees: lines of Python, which a loop in C does not run, and bytes, which
a loop that only looks does not take. `Key` and `Moment` make a loop in C visible that compares keys or times.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from dojo.lab.errors import NeverFinishes

ENDLESS = 1_000_000
"""Lines after which a call is ended: whoever traces looks like a debugger, and the watchdog leaves those alone."""


class Key:
    """A key for dicts whose hash and ``==`` are lines of Python. Two of the same `n` are equal."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __hash__(self) -> int:
        return hash(self.n)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.n == other.n


class Moment(float):
    """A time in seconds whose comparisons are lines of Python; so are those of sums and differences with it."""

    def __lt__(self, other: float) -> bool:
        return float(self) < float(other)

    def __le__(self, other: float) -> bool:
        return float(self) <= float(other)

    def __gt__(self, other: float) -> bool:
        return float(self) > float(other)

    def __ge__(self, other: float) -> bool:
        return float(self) >= float(other)

    def __add__(self, other: float) -> Moment:
        return Moment(float(self) + float(other))

    def __radd__(self, other: float) -> Moment:
        return self + other

    def __sub__(self, other: float) -> Moment:
        return Moment(float(self) - float(other))


def lines_run(call: Callable[..., object], *args: Any) -> int:
    """How many lines of Python `call(*args)` runs, in any file; entering and leaving a function count as well.

    Raises NeverFinishes if that is more than `ENDLESS`.
    """
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += 1
        if count > ENDLESS:
            raise NeverFinishes(
                f"never finishes: after {ENDLESS:,} lines of Python it is still in {frame.f_code.co_name}"
            )
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call(*args)
    finally:
        sys.settrace(before)
    return count


def bytes_taken(call: Callable[..., object], *args: Any) -> int:
    """How many bytes more than before `call(*args)` has held at its worst moment. Only inside of `memory_traced`."""
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    call(*args)
    return tracemalloc.get_traced_memory()[1] - before


@contextmanager
def memory_traced() -> Iterator[Callable[[], int]]:
    """While this lasts, memory is accounted for; gives a function that says how many bytes are held now."""
    traced = tracemalloc.is_tracing()
    if not traced:
        tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[0]
    finally:
        if not traced:
            tracemalloc.stop()
