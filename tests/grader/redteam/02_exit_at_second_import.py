"""Is well-behaved the first time only.

Kata: backoff_schedule
Attack: The module counts how often it is executed, and exits with 0 the second time.
Status: error
Points: 0
"""

import os

os._redteam_imports = getattr(os, "_redteam_imports", 0) + 1
if os._redteam_imports > 1:
    os._exit(0)


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
