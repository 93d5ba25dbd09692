"""Pretends that somebody thinks at a debugger's prompt.

Kata: backoff_schedule
Attack: Sets a trace function, which the lab's watchdog takes for a debugger, and loops for ever.
Status: timed-out
Points: 0
"""

import sys


def attack():
    sys.settrace(lambda *args: None)
    while True:
        pass


def delay(*args, **options):
    return attack()


Backoff = delay
