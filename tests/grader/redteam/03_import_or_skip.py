"""Skips because something is not installed.

Kata: backoff_schedule
Attack: Calls pytest.importorskip() for a package that does not exist.
Status: failed
Points: 0
"""

import pytest


def attack():
    return pytest.importorskip("redteam_there_is_no_such_package")


def delay(*args, **options):
    return attack()


Backoff = delay
