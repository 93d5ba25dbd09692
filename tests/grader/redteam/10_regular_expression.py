"""Backtracks for ever.

Kata: backoff_schedule
Attack: Matches a catastrophic regular expression.
Status: failed or timed-out
Points: 0
"""

import re


def attack():
    return re.match(r"(a+)+$", "a" * 64 + "b")


def delay(*args, **options):
    return attack()


Backoff = delay
