"""Closes its ears and never ends.

Kata: backoff_schedule
Attack: Closes all descriptors, so that its supervisor sees the end of the records, and loops with signals blocked.
Status: timed-out
Points: 0
"""

import os
import signal


def attack():
    os.closerange(0, 256)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        pass


def delay(*args, **options):
    return attack()


Backoff = delay
