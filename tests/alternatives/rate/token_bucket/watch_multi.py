"""WATCH, TIME and GET, decide in Python, MULTI … EXEC: whoever read an instant that has changed since decides again.

Design: optimistic locking without Lua; GCRA in Python's integers, which never end, so that nothing is rounded.

Breaks: none
"""

import base64
import math
from fractions import Fraction
from typing import NamedTuple

import redis

SECOND = 1_000_000
OUTAGES = (redis.ConnectionError, redis.TimeoutError)


class Decision(NamedTuple):
    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class TokenBucket:
    def __init__(self, client, capacity, rate, per=1.0, *, namespace="token-bucket"):
        if capacity < 1 or rate < 1 or not 0.001 <= per < math.inf:
            raise ValueError("capacity and rate are at least 1, per at least 0.001 s and finite")
        self.client = client
        self.capacity = capacity
        self.interval = Fraction(round(per * SECOND), rate)  # microseconds, as TIME tells them
        self.namespace = namespace

    async def take(self, key, cost=1):
        if cost < 0:
            raise ValueError("cost must not be negative")
        # The alphabet of Base64 has no colon.
        name = ":".join(base64.b64encode(part.encode()).decode() for part in (self.namespace, key))
        async with self.client.pipeline(transaction=True) as pipe:
            while True:
                try:
                    return await self.decide(pipe, name, cost)
                except redis.WatchError as conflict:
                    # redis-py reports a connection that broke while watching as a conflict too. Then EXEC may have
                    # been applied, and deciding again would take twice.
                    if isinstance(conflict.__context__, OUTAGES):
                        raise conflict.__context__ from None

    async def decide(self, pipe, name, cost):
        await pipe.watch(name)
        seconds, micros = await pipe.time()
        now = seconds * SECOND + micros
        stored = await pipe.get(name)
        filling = self.capacity * self.interval
        full_at = max(now, Fraction((stored or b"0").decode()))
        stepped_back = full_at > now + filling
        full_at = min(full_at, now + filling)
        wait = max(0, full_at + cost * self.interval - filling - now)
        if not wait:
            full_at += cost * self.interval
        if (cost and not wait) or stepped_back:
            pipe.multi()
            pipe.set(name, str(full_at), px=math.ceil((full_at - now) / 1000))
            await pipe.execute()
        retry_after = math.inf if cost > self.capacity else math.ceil(wait) / SECOND
        remaining = math.floor((now + filling - full_at) / self.interval)
        return Decision(not wait, remaining, retry_after, math.ceil(full_at - now) / SECOND)
