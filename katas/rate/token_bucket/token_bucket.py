"""A steady rate with bursts up to a bound: a token bucket for each key, shared by every server of one Redis.

Sources: ITU-T I.371, annex A (the Generic Cell Rate Algorithm); Redis documentation, "Scripting with Lua" and TIME;
redis-cell, which answers with the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis


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
        raise NotImplementedError("TokenBucket.__init__ is yours to write; its rules stand in README.md")

    async def take(self, key: str, cost: int = 1) -> Decision:
        """Take `cost` tokens out of the bucket of `key` if that many are there, and nothing otherwise.

        A cost of 0 asks without taking. One above `capacity` is refused, with a `retry_after` of `math.inf`.

        Raises:
            ValueError: `cost` is negative.
            redis.RedisError: whatever redis-py raises. After a lost connection the tokens may have been taken or
                not, but never twice.
        """
        raise NotImplementedError("TokenBucket.take is yours to write; its rules stand in README.md")
