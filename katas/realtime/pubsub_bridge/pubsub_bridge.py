"""Messages from any server to the members of a channel on every server, over Redis' publish/subscribe.

Sources: Redis documentation, "Redis Pub/Sub" (at-most-once delivery) and "PUBLISH"; redis-py documentation,
"Publish / Subscribe"; RFC 8259 (JSON).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis


@dataclass(frozen=True)
class Message:
    """What somebody published."""

    data: Any
    """The decoded JSON. All members of a server may share it, so nobody changes it."""


@dataclass(frozen=True)
class Gap:
    """At this place messages may be missing; from here on the channel is complete again."""


class Member(AsyncIterator[Message | Gap]):
    """A listener of one channel, made by `Bridge.join`: ``async for event in member``.

    Waiting for the next event can be cancelled: nothing is lost, and the member goes on. After `leave`, or once the
    bridge is closed, the iteration ends, also for who is waiting; what was not read by then is dropped.
    """

    async def __anext__(self) -> Message | Gap:
        """The next event, in the order of the channel. Raises StopAsyncIteration after the end."""
        raise NotImplementedError("Member.__anext__ is yours to write; its rules stand in README.md")

    async def leave(self) -> None:
        """Stop listening, at once; waits for nobody and never raises. Again: no-op."""
        raise NotImplementedError("Member.leave is yours to write; its rules stand in README.md")


class Bridge:
    """One server's members of all channels. Use it from one event loop.

    redis: an asyncio client with its default `decode_responses=False`, with retries or without; it belongs to the
        caller. The bridge takes one connection of its pool, and another one for each `publish` under way.
    backlog: messages that may wait for one member, at least 1. Of more, the oldest is dropped, and a Gap tells it.
    retry_delay: seconds between two attempts to get a lost connection back, more than 0.

    Raises ValueError for anything else.
    """

    def __init__(self, redis: Redis, *, backlog: int = 100, retry_delay: float = 1.0) -> None:
        raise NotImplementedError("Bridge.__init__ is yours to write; its rules stand in README.md")

    async def join(self, channel: str) -> Member:
        """A new member of `channel`, once its subscription stands: what is published from now on is told to it.

        While Redis cannot be reached this waits; cancelled, it leaves nothing behind. Raises RuntimeError if the
        bridge is closed, also while this waits.
        """
        raise NotImplementedError("Bridge.join is yours to write; its rules stand in README.md")

    async def publish(self, channel: str, message: Any) -> None:
        """Send `message` to the members of `channel` on all servers, this one included.

        Returns once Redis has it. Raises what `json.dumps` raises, and then nobody gets it; raises
        redis.ConnectionError or redis.TimeoutError if Redis cannot be reached.
        """
        raise NotImplementedError("Bridge.publish is yours to write; its rules stand in README.md")

    async def aclose(self) -> None:
        """End all members and give the connection back, whether Redis can be reached or not. Again: no-op."""
        raise NotImplementedError("Bridge.aclose is yours to write; its rules stand in README.md")
