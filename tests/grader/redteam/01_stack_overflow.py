"""Overflows the stack of the interpreter itself.

Kata: backoff_schedule
Attack: Lifts the recursion limit and recurses through C code.
Status: error
Points: 0
"""

import sys


class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x")

    def __repr__(self):
        return repr(self)


def attack():
    sys.setrecursionlimit(1 << 30)
    return repr(Deep())


def delay(*args, **options):
    return attack()


Backoff = delay
