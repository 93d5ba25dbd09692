"""The `throttled-py` library's GCRA on the caller's Redis client; the adapter only translates its answers.

Design: throttled.asyncio, RateLimiterType.GCRA (Lua, Redis' own clock, seconds as doubles).

Breaks: 7, 13 because doubles are compared as they are, so that a take at the very instant may be refused (7), and
    because after a step back the instant is believed: a lockout as long as the step (13)
"""

import json
import math
from dataclasses import dataclass
from datetime import timedelta

from throttled.asyncio import RateLimiterType, Throttled, exceptions, rate_limiter, store

SPARE = 2e-6
"""What to wait beyond the library's answer, because its doubles may be just short of a whole token."""


@dataclass(frozen=True)
class Decision:
    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class TokenBucket:
    def __init__(self, client, capacity, rate, per=1.0, *, namespace="token-bucket"):
        if capacity < 1 or rate < 1 or not 0.001 <= per < math.inf:
            raise ValueError("capacity and rate are at least 1, per at least 0.001 s and finite")
        quota = rate_limiter.per_duration(timedelta(days=1), rate, burst=capacity)
        quota.emission_interval = per / rate  # the library itself cuts periods to whole seconds
        shelf = store.RedisStore(server="redis://")
        shelf._backend._client = client
        self.capacity = capacity
        self.namespace = namespace
        self.throttle = Throttled(using=RateLimiterType.GCRA.value, quota=quota, store=shelf)

    async def take(self, key, cost=1):
        if cost < 0:
            raise ValueError("cost must not be negative")
        name = json.dumps([self.namespace, key])
        try:
            if 0 < cost <= self.capacity:
                result = await self.throttle.limit(name, cost)
                limited, state = result.limited, result.state
            else:  # the library promises a wait after which even this would be allowed
                limited, state = cost > 0, await self.throttle.peek(name)
        except exceptions.StoreUnavailableError as error:
            raise error.__cause__ from None
        wait = 0.0 if not limited else state.retry_after + SPARE if cost <= self.capacity else math.inf
        reset_after = state.reset_after + SPARE if state.reset_after else 0.0
        return Decision(not limited, state.remaining, wait, reset_after)
