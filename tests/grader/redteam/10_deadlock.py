"""Waits for itself.

Kata: backoff_schedule
Attack: Acquires a lock twice.
Status: failed or timed-out
Points: 0
"""

import threading


def attack():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def delay(*args, **options):
    return attack()


Backoff = delay
