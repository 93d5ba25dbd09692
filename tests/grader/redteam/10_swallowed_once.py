"""Swallows the time-out and then answers.

Kata: backoff_schedule
Attack: Computes without end until something is raised in it, catches that and returns a number as if nothing were.
Status: failed or timed-out
Points: 0
"""


def attack():
    try:
        while True:
            pass
    except BaseException:
        return 3.0


def delay(*args, **options):
    return attack()


Backoff = delay
