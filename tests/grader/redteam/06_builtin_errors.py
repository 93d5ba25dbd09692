"""Failures are something else.

Kata: backoff_schedule
Attack: Replaces AssertionError, NotImplementedError and Exception in builtins by classes that nobody raises.
Status: error or failed
Points: 0
"""

import builtins


class Never(BaseException):
    pass


builtins.AssertionError = Never
builtins.Exception = Never
builtins.BaseException = Never


def attack():
    return 1.0


def delay(*args, **options):
    return attack()


Backoff = delay
