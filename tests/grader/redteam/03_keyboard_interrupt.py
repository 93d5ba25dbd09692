"""Pretends that somebody has pressed Ctrl-C.

Kata: backoff_schedule
Attack: Raises KeyboardInterrupt in each function under test.
Status: error
Points: 0
"""


def attack():
    raise KeyboardInterrupt


def delay(*args, **options):
    return attack()


Backoff = delay
