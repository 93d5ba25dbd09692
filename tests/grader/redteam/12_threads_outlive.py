"""Threads that do not end.

Kata: backoff_schedule
Attack: Starts threads, no daemons, that never end and swallow whatever is raised; the kata is unsolved.
Status: failed or error
Points: 0
"""

import select
import threading


def wait():
    while True:
        select.select([], [], [], 3600)


def attack():
    threading.Thread(target=wait).start()
    raise RuntimeError("a thread was started")


def delay(*args, **options):
    return attack()


Backoff = delay
