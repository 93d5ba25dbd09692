"""Prints without end.

Kata: backoff_schedule
Attack: Prints lines for ever on standard output.
Status: error
Points: 0
"""


def attack():
    while True:
        print("x" * 1000)


def delay(*args, **options):
    return attack()


Backoff = delay
