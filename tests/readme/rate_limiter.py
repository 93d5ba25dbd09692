"""The limiter whose failure README.md shows: the way most people write it the first time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class RateLimiter:
    def __init__(self, redis, limit, window, *, namespace="rate-limit", on_outage="open"):
        self.redis = redis
        self.limit = limit
        self.window = window

    async def hit(self, key, cost=1):
        count = int(await self.redis.get(f"hits:{key}") or 0)
        if count + cost > self.limit:
            return Decision(False, self.limit - count, self.window, self.window)
        await self.redis.incrby(f"hits:{key}", cost)
        await self.redis.expire(f"hits:{key}", self.window)
        return Decision(True, self.limit - count - cost, 0.0, self.window)


def rate_limited(limiter, key, cost=1):
    async def dependency(request):
        return await limiter.hit(key(request), cost)

    return dependency
