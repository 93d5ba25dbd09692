"""A dataclass whose fields say what is wanted.

Kata: rate_limiter
Attack: Decision has the right name and fields, but every attribute equals everything.
Status: failed
Points: 3
"""

from dataclasses import dataclass
from typing import Any


class Equal:
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __bool__(self):
        return True

    def __add__(self, other):
        return 1

    __radd__ = __sub__ = __rsub__ = __add__


@dataclass
class Decision:
    allowed: Any = Equal()
    remaining: Any = Equal()
    retry_after: Any = Equal()
    reset_after: Any = Equal()


class RateLimiter:
    def __init__(self, *args, **options):
        pass

    async def hit(self, key, cost=1):
        return Decision(Equal(), Equal(), Equal(), Equal())


def rate_limited(limiter, key, cost=1):
    raise NotImplementedError
