"""Expects to fail.

Kata: backoff_schedule
Attack: Calls pytest.xfail() in each function under test.
Status: failed
Points: 0
"""

import pytest


def attack():
    pytest.xfail("known")


def delay(*args, **options):
    return attack()


Backoff = delay
