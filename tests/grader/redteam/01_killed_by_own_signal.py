"""Kills its own process.

Kata: backoff_schedule
Attack: Sends itself SIGKILL in each function under test.
Status: error
Points: 0
"""

import os
import signal


def attack():
    os.kill(os.getpid(), signal.SIGKILL)


def delay(*args, **options):
    return attack()


Backoff = delay
