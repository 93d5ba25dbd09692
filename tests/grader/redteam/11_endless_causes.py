"""Errors whose causes have causes.

Kata: backoff_schedule
Attack: Raises an error with a thousand causes, notes and contexts, in a circle.
Status: failed
Points: 0
"""


def attack():
    last = first = ValueError("0")
    for number in range(1_000):
        error = RuntimeError(str(number))
        error.add_note("note " * 100)
        error.__cause__, last = last, error
    first.__context__ = last
    raise last


def delay(*args, **options):
    return attack()


Backoff = delay
