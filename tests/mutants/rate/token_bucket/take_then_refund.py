"""Takes first, and gives back if that was too much: meanwhile a take that would fit is refused.

Trap: spend-then-refund
Rule: 10
"""

import json
import math
from dataclasses import dataclass
from fractions import Fraction

SCRIPT = """
local capacity, interval, cost = tonumber(ARGV[1]), tonumber(ARGV[2]) / tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local tokens, at = unpack(redis.call('HMGET', KEYS[1], 'tokens', 'at'))
tokens = math.min(capacity, tonumber(tokens or capacity) + math.max(0, now - tonumber(at or now)) / interval) - cost
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil((capacity - tokens) * interval / 1000)))
return {math.floor(tokens + 1e-9), math.ceil(-tokens * interval), math.ceil((capacity - tokens) * interval)}
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
        if cost and remaining < 0:
            missing = wait / 1_000_000 if cost <= self.capacity else math.inf
            remaining, _, full = await self.script([name], [*self.settings, -cost])
            return Decision(False, remaining, missing, full / 1_000_000)
        return Decision(True, remaining, 0.0, full / 1_000_000)
