"""Prints without end where nobody looks.

Kata: backoff_schedule
Attack: Writes bytes for ever to standard error, past Python's own streams, whatever that raises.
Status: error
Points: 0
"""

import os


def attack():
    while True:
        try:
            os.write(2, b"\xff\x00\x1b" * 20_000)
        except BaseException:
            pass


def delay(*args, **options):
    return attack()


Backoff = delay
