"""An exception that is whichever is expected.

Kata: backoff_schedule
Attack: Everything raises a ValueError whose text contains every parameter's name, in honest attire.
Status: failed
Points: 0
"""


class Any(ValueError):
    @property
    def __class__(self):
        return NotImplementedError

    def __str__(self):
        return "retry base cap jitter rng prev"


def attack():
    raise Any


def delay(*args, **options):
    return attack()


Backoff = delay
