"""Computes a number that nobody can write down.

Kata: backoff_schedule
Attack: Raises an integer to a power with hundreds of millions of digits, in one bytecode.
Status: timed-out or failed
Points: 0
"""


def attack():
    return 7 ** (7**11)


def delay(*args, **options):
    return attack()


Backoff = delay
