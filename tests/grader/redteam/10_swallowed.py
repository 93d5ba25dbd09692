"""Swallows every attempt to end it.

Kata: backoff_schedule
Attack: Loops for ever inside `except BaseException: pass`, itself in a loop.
Status: timed-out
Points: 0
"""


def attack():
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def delay(*args, **options):
    return attack()


Backoff = delay
