"""A limit that every server shares.

Times are in seconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import KW_ONLY, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from redis.asyncio import Redis

if TYPE_CHECKING:
    from fastapi import Request

#: Seconds.
DEFAULT_WINDOW = 60.0
TRIES = 3

_GRACE = 0.5

Handler = Callable[[str], None]


class Policy(Enum):
    """What to do in an outage."""

    OPEN = "open"
    CLOSED = "closed"


class LimiterError(Exception):
    """The store cannot be reached."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"try again in {seconds} s")
        self.seconds = seconds


class Store(Protocol):
    """Where counts are kept."""

    async def incr(self, key: str) -> int:
        """Adds one and returns the sum."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a hit."""

    allowed: bool
    """Whether it may go on."""

    remaining: int
    _: KW_ONLY
    retry_after: float = DEFAULT_WINDOW
    grace: float = _GRACE


class RateLimiter:
    """Limits hits.

    # this is text, not a comment
    """

    def __init__(
        self,
        redis: Redis,
        *,
        limit: int,
        window: float = DEFAULT_WINDOW,
    ) -> None:
        raise NotImplementedError("RateLimiter.__init__ is yours to write; its rules stand in README.md")

    async def hit(self, key: str) -> Decision:
        """Counts one hit.

        Raises RedisError in an outage.
        """
        raise NotImplementedError("RateLimiter.hit is yours to write; its rules stand in README.md")

    async def events(self) -> AsyncIterator[str]:
        """Yields what happens."""
        raise NotImplementedError("RateLimiter.events is yours to write; its rules stand in README.md")
        yield  # this is an async generator


async def guard(request: Request, limiter: RateLimiter) -> None:
    raise NotImplementedError("guard is yours to write; its rules stand in README.md")
