"""Crashes the interpreter.

Kata: backoff_schedule
Attack: Reads address 0 with ctypes.
Status: failed
Points: 0
"""

import ctypes


def attack():
    return ctypes.string_at(0)


def delay(*args, **options):
    return attack()


Backoff = delay
