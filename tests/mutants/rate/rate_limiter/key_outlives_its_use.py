"""The TTL has five seconds to spare, whatever the window: in a limit a second most keys are dead ones.

Trap: unbounded-log
Rule: 11
"""

import json
import math
import uuid
from dataclasses import dataclass

import redis
from fastapi import HTTPException, Request

SCRIPT = """
local limit, window, cost, id = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
for _, unit in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')) do
  redis.call('ZADD', KEYS[1], now, unit)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local remaining = limit - redis.call('ZCARD', KEYS[1])
local retry_after = 0
if cost > remaining then
  local at = cost - remaining - 1
  retry_after = redis.call('ZRANGE', KEYS[1], at, at, 'WITHSCORES')[2] + window - now
else
  for i = 1, cost do
    redis.call('ZADD', KEYS[1], now, id .. ':' .. i)
  end
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000) + 5000)
  remaining = remaining - cost
end
local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
return {remaining, retry_after, newest + window - now}
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
