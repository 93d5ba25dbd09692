"""INCR, and EXPIRE as a step of its own: a crash between them leaves a counter that never expires.

Trap: no-ttl
Rule: 10
Published: in tutorials on rate limiting with Redis
"""

import json
import math
from dataclasses import dataclass

import redis
from fastapi import HTTPException, Request


@dataclass(frozen=True)
class Decision:
    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class RateLimiter:
    def __init__(self, client, limit, window, *, namespace="rate-limit", on_outage="open"):
        if limit < 1 or not 0.001 <= window < math.inf or on_outage not in ("open", "closed"):
            raise ValueError("limit, window or on_outage out of range")
        self.limit = limit
        self.window = float(window)
        self.namespace = namespace
        self.on_outage = on_outage
        self.client = client

    async def hit(self, key, cost=1):
        if not isinstance(key, str | int):
            raise TypeError("a key is a str or an int")
        if not 1 <= cost <= self.limit:
            raise ValueError("cost must be between 1 and limit")
        name = json.dumps([self.namespace, self.limit, self.window, key])
        try:
            return await self.decide(name, cost)
        except (redis.ConnectionError, redis.TimeoutError):
            if self.on_outage == "open":
                return Decision(True, self.limit - cost, 0.0, self.window)
            return Decision(False, 0, self.window, self.window)

    async def decide(self, name, cost):
        used = await self.client.incrby(name, cost)
        if used == cost:
            await self.client.pexpire(name, round(self.window * 1000))
        wait = max(0, await self.client.pttl(name)) / 1000
        if used > self.limit:
            await self.client.decrby(name, cost)
            return Decision(False, self.limit - used + cost, wait, wait)
        return Decision(True, self.limit - used, 0.0, wait)


def rate_limited(limiter, key, cost=1):
    async def spend(request: Request):
        decision = await limiter.hit(key(request), cost)
        if not decision.allowed:
            wait = math.ceil(decision.retry_after)
            raise HTTPException(429, "Too many requests", {"Retry-After": str(wait)})
        return decision

    return spend
