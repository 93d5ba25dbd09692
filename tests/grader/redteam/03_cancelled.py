"""Pretends that its task was cancelled.

Kata: rate_limiter
Attack: Raises asyncio.CancelledError in each coroutine under test.
Status: failed
Points: 1
"""

import asyncio
from dataclasses import dataclass


@dataclass
class Decision:
    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class RateLimiter:
    def __init__(self, *args, **options):
        pass

    async def hit(self, key, cost=1):
        raise asyncio.CancelledError


def rate_limited(limiter, key, cost=1):
    async def spend():
        raise asyncio.CancelledError

    return spend
