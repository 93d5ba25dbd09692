"""Opens files without end.

Kata: backoff_schedule
Attack: Opens /dev/null until no descriptor is left, and keeps them.
Status: failed or error
Points: 0
"""

import os

kept = []


def attack():
    while True:
        kept.append(os.open("/dev/null", os.O_RDONLY))


def delay(*args, **options):
    return attack()


Backoff = delay
