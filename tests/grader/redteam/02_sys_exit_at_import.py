"""Leaves when it is imported.

Kata: backoff_schedule
Attack: Calls sys.exit(0) at import.
Status: error
Points: 0
"""

import sys

sys.exit(0)


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
