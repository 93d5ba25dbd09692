"""The other side of the same line: a leaky bucket, whose level falls, in a hash of two fields and a Lua script.

Design: level and stamp as doubles in a hash; levels are microseconds, compared with a thousandth of one to spare.

Breaks: none
"""

import json
import math
from dataclasses import dataclass

SCRIPT = """
local capacity, interval, cost, almost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), 0.001
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local level, at = unpack(redis.call('HMGET', KEYS[1], 'level', 'at'))
level, at = tonumber(level or 0), tonumber(at or now)
level = math.max(0, level - math.max(0, now - at))
local missing = level + (cost - capacity) * interval
if missing <= almost then
  level, missing = level + cost * interval, 0
end
if level > almost then
  redis.call('HSET', KEYS[1], 'level', string.format('%.17g', level), 'at', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], math.ceil(level / 1000))
end
local remaining = math.floor(capacity - (level - almost) / interval)
return {remaining, math.ceil(missing - almost), math.ceil(level - almost)}
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
            raise ValueError("capacity and rate are at least 1, per at least 0.001 s and finite")
        self.capacity = capacity
        self.interval = per / rate * 1_000_000
        self.namespace = namespace
        self.script = client.register_script(SCRIPT)

    async def take(self, key, cost=1):
        if cost < 0:
            raise ValueError("cost must not be negative")
        name = json.dumps([self.namespace, key])
        remaining, wait, full = await self.script([name], [self.capacity, self.interval, cost])
        retry_after = wait / 1_000_000 if cost <= self.capacity else math.inf
        return Decision(wait == 0, remaining, retry_after, full / 1_000_000)
