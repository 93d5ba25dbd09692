"""Nanoseconds since 1970 in Lua, whose numbers are doubles: they are multiples of 256.

Trap: drift
Rule: 8
"""

import json
import math
from dataclasses import dataclass

SCRIPT = """
local capacity, interval, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000000 + clock[2] * 1000
local filling = capacity * interval
local full_at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or now))
local stepped_back = full_at > now + filling + interval
full_at = math.min(full_at, now + filling)
local missing = full_at + cost * interval - filling - now
local wait = 0
if missing > 1000 then
  wait = math.ceil(missing / 1000)
else
  full_at = full_at + cost * interval
end
if wait == 0 and cost > 0 or stepped_back then
  redis.call('SET', KEYS[1], string.format('%.17g', full_at), 'PX', math.ceil((full_at - now) / 1000 / 1000))
end
return {math.floor((now + filling - full_at + 1000) / interval), wait, math.ceil((full_at - now) / 1000)}
"""


@dataclass(frozen=True)
class Decision:
    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class TokenBucket:
    def __init__(self, client, capacity, rate, per=1.0, *, namespace="token-bucket"):
        if capacity < 1 or rate < 1 or not 0.001 <= per < math.inf:
            raise ValueError("capacity, rate or per out of range")
        self.capacity = capacity
        self.settings = [capacity, round(per / rate * 1_000_000_000)]
        self.namespace = namespace
        self.client = client
        self.script = client.register_script(SCRIPT)

    async def take(self, key, cost=1):
        if cost < 0:
            raise ValueError("cost must not be negative")
        name = json.dumps([self.namespace, *self.settings, key])
        remaining, wait, full = await self.script([name], [*self.settings, cost])
        retry_after = wait / 1_000_000 if cost <= self.capacity else math.inf
        return Decision(wait == 0, remaining, retry_after, full / 1_000_000)
