"""Crashes the interpreter with a core dump.

Kata: backoff_schedule
Attack: Calls os.abort().
Status: error
Points: 0
"""

import os


def attack():
    os.abort()


def delay(*args, **options):
    return attack()


Backoff = delay
