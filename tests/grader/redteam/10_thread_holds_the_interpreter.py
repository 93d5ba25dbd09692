"""Lets nobody else run.

Kata: backoff_schedule
Attack: Threads hold the interpreter's lock inside C code, each at the switch interval's greatest length.
Status: timed-out
Points: 0
"""

import itertools
import sys
import threading


def attack():
    sys.setswitchinterval(1e6)
    for _ in range(4):
        threading.Thread(target=sum, args=(itertools.repeat(0),), daemon=True).start()
    return sum(itertools.repeat(0))


def delay(*args, **options):
    return attack()


Backoff = delay
