"""Ends the interpreter, as if all were well.

Kata: backoff_schedule
Attack: Calls os._exit(0) in each function under test.
Status: error
Points: 0
"""

import os


def attack():
    os._exit(0)


def delay(*args, **options):
    return attack()


Backoff = delay
