"""Sleeps in real time.

Kata: backoff_schedule
Attack: Waits in select, which the virtual clock does not replace, and goes on waiting when it is woken.
Status: timed-out
Points: 0
"""

import select


def attack():
    while True:
        try:
            select.select([], [], [], 3600)
        except BaseException:
            pass


def delay(*args, **options):
    return attack()


Backoff = delay
