"""Each call enters the log before it is counted: impatient callers keep themselves out.

Trap: refused-hits-count
Rule: 5
"""

import json
import math
import time
import uuid
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
        now = time.time()
        async with self.client.pipeline(transaction=True) as pipe:
            pipe.zremrangebyscore(name, "-inf", now - self.window)
            pipe.zadd(name, {uuid.uuid4().hex: now for _ in range(cost)})
            pipe.expire(name, math.ceil(self.window))
            pipe.zrange(name, 0, -1, withscores=True)
            *_, log = await pipe.execute()
        oldest, newest = log[0][1], log[-1][1]
        if len(log) > self.limit:
            remaining = max(0, self.limit - len(log) + cost)
            return Decision(False, remaining, oldest + self.window - now, newest + self.window - now)
        return Decision(True, self.limit - len(log), 0.0, self.window)


def rate_limited(limiter, key, cost=1):
    async def spend(request: Request):
        decision = await limiter.hit(key(request), cost)
        if not decision.allowed:
            wait = math.ceil(decision.retry_after)
            raise HTTPException(429, "Too many requests", {"Retry-After": str(wait)})
        return decision

    return spend
