"""One pipeline for each limiter, made once: calls that overlap on one server mix their commands.

Trap: mixed-up-calls
Rule: 9
"""

import json
import math
import time
from dataclasses import dataclass

import redis
from fastapi import HTTPException, Request

SECOND = 1_000_000
OUTAGES = (redis.ConnectionError, redis.TimeoutError)


@dataclass(frozen=True)
class Decision:
    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


def decide(log: list[int], now: int, limit: int, window: int, cost: int) -> tuple[Decision, list[int]]:
    """The answer to a hit, and the log after it; all in microseconds."""
    # A stamp from the future means that the clock was stepped back since.
    log = [stamp for stamp in (min(stamp, now) for stamp in log) if now - stamp < window]
    missing = cost - (limit - len(log))
    retry_after = log[missing - 1] + window - now if missing > 0 else 0
    if missing <= 0:
        log = log + [now] * cost
    reset_after = log[-1] + window - now
    return Decision(missing <= 0, limit - len(log), retry_after / SECOND, reset_after / SECOND), log


class RateLimiter:
    def __init__(self, client, limit, window, *, namespace="rate-limit", on_outage="open"):
        if limit < 1 or not 0.001 <= window < math.inf or on_outage not in ("open", "closed"):
            raise ValueError("limit is at least 1, window at least 0.001 s, on_outage is 'open' or 'closed'")
        self.pipe = client.pipeline(transaction=True)
        self.limit = limit
        self.window = round(window * SECOND)
        self.namespace = namespace
        self.on_outage = on_outage

    async def hit(self, key, cost=1):
        if not isinstance(key, str | int):
            raise TypeError("a key is a str or an int")
        if not 1 <= cost <= self.limit:
            raise ValueError("cost must be between 1 and limit")
        name = json.dumps([self.namespace, self.limit, self.window, key])
        try:
            return await self.spend(name, cost)
        except OUTAGES:
            seconds = self.window / SECOND
            if self.on_outage == "open":
                return Decision(True, self.limit - cost, 0.0, seconds)
            return Decision(False, 0, seconds, seconds)

    async def spend(self, name, cost):
        async with self.pipe as pipe:
            while True:
                try:
                    await pipe.watch(name)
                    before = json.loads(await pipe.get(name) or "[]")
                    # Read after WATCH: no stamp that EXEC will find unchanged can be younger than this.
                    now = time.time_ns() // 1000
                    decision, after = decide(before, now, self.limit, self.window, cost)
                    if after == before:
                        return decision
                    pipe.multi()
                    pipe.set(name, json.dumps(after), px=math.ceil(self.window / 1000))
                    await pipe.execute()
                    return decision
                except redis.WatchError as conflict:
                    # redis-py reports a connection that broke while watching as a conflict too. Then EXEC may have
                    # been applied, and deciding again would spend twice.
                    if isinstance(conflict.__context__, OUTAGES):
                        raise conflict.__context__ from None


def rate_limited(limiter, key, cost=1):
    async def spend(request: Request):
        decision = await limiter.hit(key(request), cost)
        if not decision.allowed:
            retry_after = str(math.ceil(decision.retry_after))
            raise HTTPException(429, "Too many requests", {"Retry-After": retry_after})
        return decision

    return spend
