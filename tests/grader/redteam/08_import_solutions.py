"""Copies from the solutions next door.

Kata: backoff_schedule
Attack: Imports the repository's own solution, if it can be imported.
Status: failed
Points: 0
"""

try:
    from solutions.resilience.backoff_schedule import Backoff, delay
except ImportError:

    def delay(retry, **options):
        raise NotImplementedError

    class Backoff:
        def __init__(self, **options):
            raise NotImplementedError
