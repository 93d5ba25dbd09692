"""Stands still.

Kata: backoff_schedule
Attack: Sends itself SIGSTOP.
Status: timed-out
Points: 0
"""

import os
import signal


def attack():
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)


def delay(*args, **options):
    return attack()


Backoff = delay
