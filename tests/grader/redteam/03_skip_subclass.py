"""An exception that is everything at once.

Kata: backoff_schedule
Attack: Raises a class that derives from ValueError, SkipTest and pytest's own exit.
Status: failed or error
Points: 0
"""

import unittest

import pytest


class Everything(ValueError, unittest.SkipTest, pytest.exit.Exception):
    returncode = 0
    msg = "done"
    allow_module_level = True

    def __init__(self):
        super().__init__("base cap jitter retry rng prev")


def attack():
    raise Everything


def delay(*args, **options):
    return attack()


Backoff = delay
