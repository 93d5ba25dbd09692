"""A Redis lock of ten seconds around GET, decide, SET: whoever stalls longer writes without it.

Trap: expired-lock
Rule: 11
"""

import json
import math
from dataclasses import dataclass
from fractions import Fraction


def decide(now, stored, capacity, interval, cost):
    """Microseconds: what the answer says, and the instant to store; None if that stays as it is."""
    filling = capacity * interval
    full_at = max(now, Fraction((stored or b"0").decode()))
    stepped_back = full_at > now + filling
    full_at = min(full_at, now + filling)
    wait = max(0, full_at + cost * interval - filling - now)
    if not wait:
        full_at += cost * interval
    answer = math.floor((now + filling - full_at) / interval), math.ceil(wait), math.ceil(full_at - now)
    return answer, full_at if (cost and not wait) or stepped_back else None


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
        self.interval = interval
        self.client = client

    async def take(self, key, cost=1):
        if cost < 0:
            raise ValueError("cost must not be negative")
        name = json.dumps([self.namespace, *self.settings, key])
        async with self.client.lock(name + ":lock", timeout=10, sleep=0.01, raise_on_release_error=False):
            stored = await self.client.get(name)
            seconds, micros = await self.client.time()
            answer, full_at = decide(seconds * 1_000_000 + micros, stored, self.capacity, self.interval, cost)
            if full_at is not None:
                await self.client.set(name, str(full_at), px=math.ceil(answer[2] / 1000))
            remaining, wait, full = answer
        retry_after = wait / 1_000_000 if cost <= self.capacity else math.inf
        return Decision(wait == 0, remaining, retry_after, full / 1_000_000)
