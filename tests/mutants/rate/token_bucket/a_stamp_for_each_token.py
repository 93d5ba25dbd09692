"""A list with the instant at which each token comes back: right, and as large as the burst.

Trap: log-of-takes
Rule: 14
"""

import json
import math
from dataclasses import dataclass
from fractions import Fraction

SCRIPT = """
local capacity, interval, cost = tonumber(ARGV[1]), tonumber(ARGV[2]) / tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function back(index)
  return tonumber(redis.call('LINDEX', KEYS[1], index) or now)
end
while redis.call('LLEN', KEYS[1]) > 0 and back(0) <= now + 0.001 do
  redis.call('LPOP', KEYS[1])
end
local ahead = back(-1) - now - capacity * interval
if ahead > 1 then
  for index = 0, redis.call('LLEN', KEYS[1]) - 1 do
    redis.call('LSET', KEYS[1], index, string.format('%.17g', back(index) - ahead))
  end
end
local taken = redis.call('LLEN', KEYS[1])
local wait = 0
if taken + cost > capacity then
  wait = math.ceil(back(math.min(taken + cost - capacity, taken) - 1) - now)
else
  for _ = 1, cost do
    redis.call('RPUSH', KEYS[1], string.format('%.17g', back(-1) + interval))
  end
end
local full = math.ceil(back(-1) - now)
redis.call('PEXPIRE', KEYS[1], math.ceil(full / 1000))
return {capacity - redis.call('LLEN', KEYS[1]), wait, full}
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
