"""Never ends.

Kata: backoff_schedule
Attack: Loops for ever in plain Python.
Status: failed or timed-out
Points: 0
"""


def attack():
    while True:
        pass


def delay(*args, **options):
    return attack()


Backoff = delay
