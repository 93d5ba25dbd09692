"""Half a solution, and no end of the other half.

Kata: backoff_schedule
Attack: An honest `delay`, but each Backoff loops for ever and swallows whatever is raised in it.
Status: failed
Points: 12
"""

import math


def delay(retry, *, base, cap, jitter="none", rng=None, prev=None):
    if not 0 < base <= cap < math.inf or jitter not in ("none", "full", "equal", "decorrelated"):
        raise ValueError(f"bad base, cap or jitter: {base}, {cap}, {jitter}")
    if retry < 1 or (jitter != "none" and rng is None):
        raise ValueError("bad retry or rng")
    level = float(cap) if retry > 900 else min(float(cap), math.ldexp(base, retry - 1))
    if jitter == "none":
        return level
    if jitter == "decorrelated":
        prev = base if prev is None else prev
        if not base <= prev <= cap:
            raise ValueError("bad prev")
        return min(float(cap), rng.uniform(base, 3 * prev))
    return rng.uniform(level / 2 if jitter == "equal" else 0.0, level)


class Backoff:
    def __init__(self, **options):
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass
