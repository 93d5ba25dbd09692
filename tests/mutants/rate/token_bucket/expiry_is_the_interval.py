"""A key lives as long as one token needs, not as long as all that are missing.

Trap: early-expiry
Rule: 14
"""

import json
import math
from dataclasses import dataclass
from fractions import Fraction

SCRIPT = """
local capacity, interval, parts, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local filling = capacity * interval
local debt = 0
local full_at = redis.call('GET', KEYS[1])
if full_at then
  local whole, rest = string.match(full_at, '(%d+) (%d+)')
  debt = math.max(0, (whole - now) * parts + rest)
end
local stepped_back = debt > filling
debt = math.min(debt, filling)
local missing = debt + cost * interval - filling
if missing <= 0 then
  debt = debt + cost * interval
end
if missing <= 0 and cost > 0 or stepped_back then
  local next_full_at = string.format('%.0f %.0f', now + math.floor(debt / parts), debt % parts)
  redis.call('SET', KEYS[1], next_full_at, 'PX', math.ceil(interval / parts / 1000))
end
local remaining = math.floor((filling - debt) / interval)
return {remaining, math.ceil(math.max(0, missing) / parts), math.ceil(debt / parts)}
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
        interval = Fraction(round(per * 1_000_000), rate)
        self.capacity = capacity
        self.settings = [capacity, interval.numerator, interval.denominator]
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
