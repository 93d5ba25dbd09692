"""Pretends that somebody has pressed Ctrl-C.

Kata: backoff_schedule
Attack: Raises KeyboardInterrupt at import.
Status: error
Points: 0
"""

raise KeyboardInterrupt


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
