"""Skips what it cannot do, in unittest's way.

Kata: backoff_schedule
Attack: Raises unittest.SkipTest in each function under test.
Status: failed or error
Points: 0
"""

import unittest


def attack():
    raise unittest.SkipTest("not today")


def delay(*args, **options):
    return attack()


Backoff = delay
