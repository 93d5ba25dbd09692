"""Two processes share a lock that no network lies between.

Kata: rate_limiter
Attack: Decides without atomicity under a lock that it hangs on the event loop, which all processes of a world share.
Status: failed
Points: 24
"""

import asyncio
import contextvars
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
        async with vars(asyncio.get_running_loop()).setdefault("mine", asyncio.Lock()):
            now = time.time()
            await self.client.zremrangebyscore(name, "-inf", now - self.window)
            log = [at for _, at in await self.client.zrange(name, 0, -1, withscores=True)]
            remaining = self.limit - len(log)
            if cost > remaining:
                retry_after = log[cost - remaining - 1] + self.window - now
                return Decision(False, remaining, retry_after, log[-1] + self.window - now)
            async with self.client.pipeline(transaction=True) as pipe:
                pipe.zadd(name, {uuid.uuid4().hex: now for _ in range(cost)})
                pipe.expire(name, math.ceil(self.window))
                await pipe.execute()
            return Decision(True, remaining - cost, 0.0, self.window)


def rate_limited(limiter, key, cost=1):
    async def spend(request: Request):
        decision = await limiter.hit(key(request), cost)
        if not decision.allowed:
            wait = math.ceil(decision.retry_after)
            raise HTTPException(429, "Too many requests", {"Retry-After": str(wait)})
        return decision

    return spend
