"""A steady rate with bursts up to a bound: a token bucket for each key, shared by every server of one Redis.

Sources: ITU-T I.371, annex A (the Generic Cell Rate Algorithm); Redis documentation, "Scripting with Lua" and TIME;
redis-cell, which answers with the same numbers.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from redis.asyncio import Redis

_MICROSECONDS = 1_000_000

# GCRA. KEYS[1] holds one instant, the theoretical arrival time (TAT): when the bucket will be full again. A token is
# worth the time in which it comes back, so a take moves the instant ahead by its cost, and a bucket is empty when the
# instant is a whole filling ahead of now. Nothing has to be refilled: time does that.
#
# A token comes back every interval/parts microseconds, and the instant is kept as whole microseconds and such parts.
# So nothing is ever rounded. Lua's numbers are doubles, exact up to 2^53: enough for microseconds since 1970, and for
# the parts of a debt, but not for the parts (or the nanoseconds) since 1970.
_TAKE = """
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

-- No bucket is emptier than empty: the clock was stepped back. Begin a last filling here, and write that down even
-- if this take is refused, or the next one would begin it again.
local stored = debt
debt = math.min(debt, filling)

local missing = debt + cost * interval - filling
if missing <= 0 then
  debt = debt + cost * interval
end
if debt ~= stored then
  local next_full_at = string.format('%.0f %.0f', now + math.floor(debt / parts), debt % parts)
  redis.call('SET', KEYS[1], next_full_at, 'PX', math.ceil(debt / parts / 1000))
end
local remaining = math.floor((filling - debt) / interval)
return {remaining, math.ceil(math.max(0, missing) / parts), math.ceil(debt / parts)}
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one take; all times in seconds, right to ten microseconds."""

    allowed: bool
    """Whether all of `cost` was taken."""
    remaining: int
    """Whole tokens in the bucket at this instant, after this take; 0 to `capacity`."""
    retry_after: float
    """0.0 if allowed. Otherwise how long to wait until the same take is allowed, if nobody takes meanwhile;
    `math.inf` if no wait could ever allow it."""
    reset_after: float
    """How long until the bucket is full, if nobody takes meanwhile; 0.0 if it is full now."""


class TokenBucket:
    """`capacity` tokens for each key, of which `rate` come back every `per` seconds, one by one."""

    def __init__(
        self, redis: Redis, capacity: int, rate: int, per: float = 1.0, *, namespace: str = "token-bucket"
    ) -> None:
        """Buckets are the same if `namespace`, `capacity`, `rate`, `per` and the key are equal.

        Args:
            redis: an asyncio client with its default `decode_responses=False`; it belongs to the caller.
            capacity: tokens in a full bucket, 1 to 10,000: the largest burst.
            rate: how many tokens come back in `per` seconds, 1 to 10,000, evenly spread.
            per: seconds, 0.001 to 86,400; `per / rate` is at least 10 microseconds.
            namespace: what is limited, such as "search".

        Raises:
            ValueError: `capacity` or `rate` is below 1, or `per` is below 0.001, infinite or NaN.
        """
        if capacity < 1 or rate < 1:
            raise ValueError(f"capacity and rate must be at least 1, not {capacity} and {rate}")
        if not 0.001 <= per < math.inf:
            raise ValueError(f"per must be at least 0.001 seconds and finite, not {per}")
        # In lowest terms, so that the numbers stay small.
        interval = Fraction(round(per * _MICROSECONDS), rate)
        self._capacity = capacity
        self._settings = [capacity, interval.numerator, interval.denominator]
        self._namespace = namespace
        self._take = redis.register_script(_TAKE)

    async def take(self, key: str, cost: int = 1) -> Decision:
        """Take `cost` tokens out of the bucket of `key` if that many are there, and nothing otherwise.

        A cost of 0 asks without taking. One above `capacity` is refused, with a `retry_after` of `math.inf`.

        Raises:
            ValueError: `cost` is negative.
            redis.RedisError: whatever redis-py raises. After a lost connection the tokens may have been taken or
                not, but never twice.
        """
        if cost < 0:
            raise ValueError(f"cost must be at least 0, not {cost}")
        # However large the cost, the script's numbers stay small.
        asked = min(cost, self._capacity + 1)
        answer: Any = await self._take([self._name(key)], [*self._settings, asked])
        remaining, retry_after, reset_after = answer
        wait = retry_after / _MICROSECONDS if cost <= self._capacity else math.inf
        return Decision(retry_after == 0, remaining, wait, reset_after / _MICROSECONDS)

    def _name(self, key: str) -> str:
        # JSON quotes what it joins: no two different lists give the same text, whatever the strings contain.
        return json.dumps([self._namespace, *self._settings, key])
