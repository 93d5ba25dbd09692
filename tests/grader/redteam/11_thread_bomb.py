"""Starts threads without end.

Kata: backoff_schedule
Attack: Starts up to 20,000 threads that wait for ever.
Status: failed or error or timed-out
Points: 0
Needs: processes
"""

import _thread
import select


def wait():
    select.select([], [], [])


def attack():
    for _ in range(20_000):
        _thread.start_new_thread(wait, ())


def delay(*args, **options):
    return attack()


Backoff = delay
