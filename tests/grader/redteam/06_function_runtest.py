"""The tests are run by doing nothing.

Kata: backoff_schedule
Attack: Replaces runtest of _pytest's Function.
Status: error or failed
Points: 0
Flags: forged
"""

import _pytest.python

_pytest.python.Function.runtest = lambda self: None


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
