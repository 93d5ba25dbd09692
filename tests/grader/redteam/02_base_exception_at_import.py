"""Raises what nobody catches.

Kata: backoff_schedule
Attack: Raises a BaseException of its own at import, whose text is an error too.
Status: error
Points: 0
"""


class Hidden(BaseException):
    def __str__(self):
        raise Hidden


raise Hidden


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
