"""The interval is rounded to ten nanoseconds, which is much after thousands of tokens.

Trap: drift
Rule: 8
"""

import hashlib
import math
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

_SCRIPT = """
local token, rate, full, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local debt, stepped = 0, false
local stored = redis.call('GET', KEYS[1])
if stored then
    local stamp, missing = string.match(stored, '^(%d+) (%d+)$')
    stamp, debt = tonumber(stamp), tonumber(missing)
    if now < stamp then
        stepped = true  -- the clock went back: what is missing stays missing, and comes back from now on
    else
        debt = math.max(0, debt - (now - stamp) * rate)
    end
end
local allowed = debt + cost * token <= full
if allowed then
    debt = debt + cost * token
end
if debt > 0 and (stepped or (allowed and cost > 0)) then
    local ttl = math.ceil(debt / rate / 1000) + 10
    redis.call('SET', KEYS[1], string.format('%.0f %.0f', now, debt), 'PX', string.format('%.0f', ttl))
end
return {allowed and 1 or 0, debt}
"""
_SHA = hashlib.sha1(_SCRIPT.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class TokenBucket:
    def __init__(
        self, redis: Redis, capacity: int, rate: int, per: float = 1.0, *, namespace: str = "token-bucket"
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity!r}")
        if rate < 1:
            raise ValueError(f"rate must be at least 1, not {rate!r}")
        if not 0.001 <= per < math.inf:
            raise ValueError(f"per must be a finite number of seconds of at least 0.001, not {per!r}")
        self._redis = redis
        self._capacity = capacity
        self._rate = rate
        self._token = round(per / rate * 1e8) * rate / 100
        self._prefix = f"{capacity}:{rate}:{self._token}:{len(namespace)}:{namespace}:"

    async def take(self, key: str, cost: int = 1) -> Decision:
        if cost < 0:
            raise ValueError(f"cost must not be negative, not {cost!r}")
        name = (self._prefix + key).encode()
        full = self._capacity * self._token
        args = (name, repr(self._token), self._rate, repr(full), min(cost, self._capacity + 1))
        try:
            reply = await self._redis.evalsha(_SHA, 1, *args)
        except NoScriptError:  # it did not run
            reply = await self._redis.eval(_SCRIPT, 1, *args)
        allowed, debt = bool(reply[0]), float(reply[1])
        if allowed:
            retry_after = 0.0
        elif cost > self._capacity:
            retry_after = math.inf
        else:
            retry_after = self._seconds(debt + cost * self._token - full)
        return Decision(allowed, int((full - debt) // self._token), retry_after, self._seconds(debt))

    def _seconds(self, units: int) -> float:
        return -(-units // self._rate) / 1_000_000
