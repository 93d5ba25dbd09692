"""Leaves the tests to a copy of itself.

Kata: backoff_schedule
Attack: Forks; the parent exits with 0, and its child goes on with the tests.
Status: error or failed
Points: 0
"""

import os

if not hasattr(os, "_redteam_forked"):
    os._redteam_forked = False


def attack():
    if not os._redteam_forked:
        os._redteam_forked = True
        if os.fork():
            os._exit(0)
    return 3.0


def delay(*args, **options):
    return attack()


Backoff = delay
