"""One sliding-window limit, shared by every server that talks to the same Redis.

Sources: Redis documentation, "Rate limiting" and "Scripting with Lua"; RFC 6585 section 4 (429 Too Many Requests);
RFC 9110 section 10.2.3 (Retry-After).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import redis
from fastapi import HTTPException, Request
from redis.asyncio import Redis

#: What to answer while Redis cannot be reached: admit (`open`) or refuse (`closed`).
OutagePolicy = Literal["open", "closed"]

#: Who is limited. The integer 1 and the string "1" are two different callers.
Key = str | int

_log = logging.getLogger(__name__)

_MICROSECONDS = 1_000_000

# A sliding window log: KEYS[1] is a list with the stamp of each unit in use, in microseconds, oldest first. Redis
# runs a script as one atomic step, so nobody acts between its reads and its writes, and the time is Redis' own, so
# that servers need not agree on the hour. A list, not a sorted set: two units of the same instant need no made-up
# names to stay two.
_SPEND = """
local limit, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function stamp(index)
  return tonumber(redis.call('LINDEX', KEYS[1], index) or now)
end

-- A stamp from the future: the clock was stepped back. Call it now, once and for good. The unit then counts
-- a little longer than its window, never shorter, and never longer than one window from here.
local newest = -1
while stamp(newest) > now do
  redis.call('LSET', KEYS[1], newest, now)
  newest = newest - 1
end

while stamp(0) <= now - window do
  redis.call('LPOP', KEYS[1])
end

local remaining = limit - redis.call('LLEN', KEYS[1])
local missing = cost - remaining
local retry_after = 0
if missing > 0 then
  retry_after = stamp(missing - 1) + window - now
else
  for _ = 1, cost do
    redis.call('RPUSH', KEYS[1], now)
  end
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
  remaining = remaining - cost
end
return {remaining, retry_after, stamp(-1) + window - now}
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one hit; all times in seconds, less than one millisecond too long and never too short."""

    allowed: bool
    """Whether the caller may go on."""
    remaining: int
    """Units that could be spent at this instant, after this hit; 0 to `limit`."""
    retry_after: float
    """0.0 if allowed. Otherwise how long to wait until the same hit is admitted, if nobody spends meanwhile."""
    reset_after: float
    """How long until all `limit` units are free again, if nobody spends meanwhile."""


class RateLimiter:
    """At most `limit` units in any span of `window` seconds, for each key, counted by all servers together."""

    def __init__(
        self,
        redis: Redis,
        limit: int,
        window: float,
        *,
        namespace: str = "rate-limit",
        on_outage: OutagePolicy = "open",
    ) -> None:
        """Limiters count together if `namespace`, `limit` and `window` are equal, and only then.

        Args:
            redis: an asyncio client with its default `decode_responses=False`; it belongs to the caller.
            limit: units a window, at least 1.
            window: seconds, at least 0.001 and finite.
            namespace: what is limited, such as "login"; any text that UTF-8 can encode.
            on_outage: the answer while Redis cannot be reached.

        Raises:
            ValueError: `limit` or `window` is out of range, or `on_outage` is neither "open" nor "closed".
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        if not 0.001 <= window < math.inf:
            raise ValueError(f"window must be at least 0.001 seconds and finite, not {window}")
        if on_outage not in ("open", "closed"):
            raise ValueError(f"on_outage must be 'open' or 'closed', not {on_outage!r}")
        self._limit = limit
        self._window = round(window * _MICROSECONDS)
        self._namespace = namespace
        self._on_outage = on_outage
        self._spend = redis.register_script(_SPEND)

    async def hit(self, key: Key, cost: int = 1) -> Decision:
        """Spend `cost` units of `key` if that many are free, and nothing otherwise.

        An outage (redis-py's ConnectionError or TimeoutError) is answered by the policy, as if the key were fresh
        (`open`) or spent this instant (`closed`). Whether the units were spent is then unknown, but never twice.

        Raises:
            TypeError: `key` is neither a str nor an int.
            ValueError: `cost` is below 1 or above `limit`, so that no wait could ever admit it.
            redis.RedisError: Redis answered, but with an error: a defect, not an outage.
        """
        if not isinstance(key, str | int):
            raise TypeError(f"a key is a str or an int, not {key!r}; name the caller, or do not limit it")
        if not 1 <= cost <= self._limit:
            raise ValueError(f"cost must be between 1 and the limit of {self._limit}, not {cost}")
        try:
            answer: Any = await self._spend([self._name(key)], [self._limit, self._window, cost])
        except (redis.ConnectionError, redis.TimeoutError) as error:
            _log.warning("rate limit %r fails %s: %s", self._namespace, self._on_outage, error)
            return self._without_redis(cost)
        remaining, retry_after, reset_after = answer
        return Decision(retry_after == 0, remaining, retry_after / _MICROSECONDS, reset_after / _MICROSECONDS)

    def _name(self, key: Key) -> str:
        # JSON quotes what it joins: no two different tuples give the same text, whatever the strings contain.
        return json.dumps([self._namespace, self._limit, self._window, key])

    def _without_redis(self, cost: int) -> Decision:
        window = self._window / _MICROSECONDS
        if self._on_outage == "open":
            return Decision(True, self._limit - cost, 0.0, window)
        return Decision(False, 0, window, window)


def rate_limited(
    limiter: RateLimiter, key: Callable[[Request], Key], cost: int = 1
) -> Callable[[Request], Awaitable[Decision]]:
    """A FastAPI dependency that spends `cost` units of `key(request)` before the endpoint runs.

    A refused request is answered 429 with `Retry-After` in whole seconds, rounded up, so that a client that waits
    that long is admitted; the endpoint does not run. An admitted one hands the `Decision` to the endpoint.

        @app.get("/search", dependencies=[Depends(rate_limited(limiter, key=api_key))])
    """

    async def spend(request: Request) -> Decision:
        decision = await limiter.hit(key(request), cost)
        if not decision.allowed:
            wait = math.ceil(decision.retry_after)
            raise HTTPException(429, f"Too many requests: retry in {wait} s", {"Retry-After": str(wait)})
        return decision

    return spend
