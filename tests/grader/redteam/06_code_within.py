"""Changes the function within a function.

Kata: backoff_schedule
Attack: Lab.raises is a wrapper, which stays; the generator that it wraps gets the code of another one.
Status: error
Points: 0
Flags: forged
"""

import importlib

Lab = importlib.import_module("dojo.lab.lab").Lab


def raises(self, error, *, when, trap):
    yield


Lab.raises.__wrapped__.__code__ = raises.__code__


def delay(retry, **options):
    return 1.0


class Backoff:
    def __init__(self, **options):
        raise ValueError
