"""The `limits` library's moving window on the caller's Redis client; the adapter only reads its log for the times.

Design: limits.aio.strategies.MovingWindowRateLimiter (Lua over a list, stamps by the caller's time.time()).

Breaks: 2, 13 because an entry that is exactly one window old still counts and windows are whole seconds (2), and
    because after a step back the stamps from the future are believed: a lockout as long as the step (13)
"""

import json
import math
import time
from dataclasses import dataclass

import redis
from fastapi import HTTPException, Request
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

STILL_COUNTS = 1e-6
"""What to wait beyond the window, because the entry on its edge still counts."""


@dataclass(frozen=True)
class Decision:
    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class RateLimiter:
    def __init__(self, client, limit, window, *, namespace="rate-limit", on_outage="open"):
        if limit < 1 or not 0.001 <= window < math.inf or on_outage not in ("open", "closed"):
            raise ValueError("limit is at least 1, window at least 0.001 s, on_outage is 'open' or 'closed'")
        self.client = client
        self.limit = limit
        self.window = float(window)
        self.namespace = namespace
        self.on_outage = on_outage
        self.item = RateLimitItemPerSecond(limit, math.ceil(window))
        self.storage = RedisStorage("async+redis://", implementation="redispy", connection_pool=client.connection_pool)
        self.strategy = MovingWindowRateLimiter(self.storage)

    async def hit(self, key, cost=1):
        if not isinstance(key, str | int):
            raise TypeError("a key is a str or an int")
        if not 1 <= cost <= self.limit:
            raise ValueError("cost must be between 1 and limit")
        # The library formats and joins what it is given; JSON keeps 1 from "1" and "a/b" from ("a", "b").
        identity = json.dumps([self.namespace, key])
        try:
            allowed = await self.strategy.hit(self.item, identity, cost=cost)
            return await self.explain(allowed, identity, cost)
        except (redis.ConnectionError, redis.TimeoutError):
            if self.on_outage == "open":
                return Decision(True, self.limit - cost, 0.0, self.window)
            return Decision(False, 0, self.window, self.window)

    async def explain(self, allowed, identity, cost):
        """The library answers yes or no, and when its oldest entry leaves; the contract also wants the others."""
        now = time.time()
        name = self.storage.bridge.prefixed_key(self.item.key_for(identity))
        log = [float(stamp) for stamp in await self.client.lrange(name, 0, -1)]  # newest first
        remaining = self.limit - sum(stamp >= now - self.window for stamp in log)
        reset_after = log[0] + self.window - now + STILL_COUNTS
        retry_after = 0.0 if allowed else log[self.limit - cost] + self.window - now + STILL_COUNTS
        return Decision(allowed, remaining, retry_after, reset_after)


def rate_limited(limiter, key, cost=1):
    async def spend(request: Request):
        decision = await limiter.hit(key(request), cost)
        if not decision.allowed:
            retry_after = str(math.ceil(round(decision.retry_after, 3)))
            raise HTTPException(429, "Too many requests", {"Retry-After": retry_after})
        return decision

    return spend
