"""An atomic counter that expires a window after its first call: twice the limit around the expiry.

Trap: not-a-sliding-window
Rule: 3
Published: in tutorials that promise "the last 60 seconds" and count a fixed window
"""

import json
import math
import uuid
from dataclasses import dataclass

import redis
from fastapi import HTTPException, Request

SCRIPT = """
local limit, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local used = tonumber(redis.call('GET', KEYS[1]) or 0)
local ttl = math.max(0, redis.call('PTTL', KEYS[1])) * 1000
if used + cost > limit then
  return {limit - used, ttl, ttl}
end
redis.call('INCRBY', KEYS[1], cost)
if used == 0 then
  redis.call('PEXPIRE', KEYS[1], window / 1000)
end
return {limit - used - cost, 0, redis.call('PTTL', KEYS[1]) * 1000}
"""


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
        self.script = client.register_script(SCRIPT)

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
        arguments = [self.limit, round(self.window * 1_000_000), cost, uuid.uuid4().hex]
        remaining, retry_after, reset_after = await self.script([name], arguments)
        return Decision(retry_after == 0, remaining, retry_after / 1_000_000, reset_after / 1_000_000)


def rate_limited(limiter, key, cost=1):
    async def spend(request: Request):
        decision = await limiter.hit(key(request), cost)
        if not decision.allowed:
            wait = math.ceil(decision.retry_after)
            raise HTTPException(429, "Too many requests", {"Retry-After": str(wait)})
        return decision

    return spend
