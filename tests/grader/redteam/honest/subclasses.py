"""A solution with subclasses of everything.

Kata: backoff_schedule
Attack: none; an enum of strings, a float, a ValueError and an iterator of its own inside, plain values outside.
Status: passed
Points: 17
"""

import enum
from collections.abc import Iterator
from random import Random, SystemRandom


class Mode(enum.StrEnum):
    NONE = enum.auto()
    FULL = enum.auto()
    EQUAL = enum.auto()
    DECORRELATED = enum.auto()


class Seconds(float):
    """A duration; doubles itself."""

    def doubled(self, cap):
        return Seconds(min(cap, self * 2))


class BadSetting(ValueError):
    """A setting that cannot work."""


class Source(SystemRandom):
    """Numbers that nobody else draws."""


def checked(base, cap, jitter):
    if not 0 < base <= cap < float("inf"):
        raise BadSetting(f"base {base!r} and cap {cap!r} cannot work")
    try:
        return Mode(jitter)
    except ValueError as error:
        raise BadSetting(f"there is no jitter {jitter!r}") from error


def delay(retry, *, base, cap, jitter="none", rng: Random | None = None, prev=None):
    mode = checked(base, cap, jitter)
    if retry < 1:
        raise BadSetting(f"there is no retry {retry!r}")
    if mode is not Mode.NONE and rng is None:
        raise BadSetting("chance needs an rng")
    if mode is Mode.DECORRELATED:
        prev = base if prev is None else prev
        if not base <= prev <= cap:
            raise BadSetting(f"{prev!r} cannot have been prev")
        return min(float(cap), rng.uniform(base, 3 * prev))
    level = Seconds(base)
    while retry > 1 and level < cap:
        level, retry = level.doubled(cap), retry - 1
    if mode is Mode.NONE:
        return float(level)
    return rng.uniform(float(level) / 2 if mode is Mode.EQUAL else 0.0, float(level))


class Delays(Iterator):
    def __init__(self, *, base, cap, jitter="full", rng=None):
        self.mode = checked(base, cap, jitter)
        self.base, self.cap = base, cap
        self.rng = Source() if rng is None else rng
        self.reset()

    def reset(self):
        self.retry, self.prev = 0, None

    def __next__(self):
        self.retry += 1
        options = {"base": self.base, "cap": self.cap, "jitter": self.mode, "rng": self.rng}
        self.prev = delay(self.retry, prev=self.prev, **options)
        return self.prev


class Backoff(Delays):
    pass
