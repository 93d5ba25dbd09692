"""Never ends, and never looks at a signal.

Kata: backoff_schedule
Attack: Sums an endless iterator inside C code.
Status: timed-out
Points: 0
"""

import itertools


def attack():
    return sum(itertools.repeat(0))


def delay(*args, **options):
    return attack()


Backoff = delay
