"""One sliding-window limit, shared by every server that talks to the same Redis.

Sources: Redis documentation, "Rate limiting" and "Scripting with Lua"; RFC 6585 section 4 (429 Too Many Requests);
RFC 9110 section 10.2.3 (Retry-After).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from fastapi import Request
from redis.asyncio import Redis

#: What to answer while Redis cannot be reached: admit (`open`) or refuse (`closed`).
OutagePolicy = Literal["open", "closed"]

#: Who is limited. The integer 1 and the string "1" are two different callers.
Key = str | int


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
        raise NotImplementedError("RateLimiter.__init__ is yours to write; its rules stand in README.md")

    async def hit(self, key: Key, cost: int = 1) -> Decision:
        """Spend `cost` units of `key` if that many are free, and nothing otherwise.

        An outage (redis-py's ConnectionError or TimeoutError) is answered by the policy, as if the key were fresh
        (`open`) or spent this instant (`closed`). Whether the units were spent is then unknown, but never twice.

        Raises:
            TypeError: `key` is neither a str nor an int.
            ValueError: `cost` is below 1 or above `limit`, so that no wait could ever admit it.
            redis.RedisError: Redis answered, but with an error: a defect, not an outage.
        """
        raise NotImplementedError("RateLimiter.hit is yours to write; its rules stand in README.md")


def rate_limited(
    limiter: RateLimiter, key: Callable[[Request], Key], cost: int = 1
) -> Callable[[Request], Awaitable[Decision]]:
    """A FastAPI dependency that spends `cost` units of `key(request)` before the endpoint runs.

    A refused request is answered 429 with `Retry-After` in whole seconds, rounded up, so that a client that waits
    that long is admitted; the endpoint does not run. An admitted one hands the `Decision` to the endpoint.

        @app.get("/search", dependencies=[Depends(rate_limited(limiter, key=api_key))])
    """
    raise NotImplementedError("rate_limited is yours to write; its rules stand in README.md")
