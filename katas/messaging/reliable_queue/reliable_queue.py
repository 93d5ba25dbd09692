"""A queue in Redis that loses nothing: what is received comes again, unless it is acknowledged in time.

Sources: Amazon SQS developer guide, "Visibility timeout" and "Delay queues" (the semantics); Redis documentation,
LMOVE, "Pattern: Reliable queue", and "Scripting with Lua"; kombu issue 337 (long delays meet short timeouts).
"""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message, and the right of one receiver to settle it."""

    id: str
    """The message's, as `send` returned it; the same each time that it is received."""
    body: bytes
    """As it was sent, byte by byte."""
    receipt: str
    """Of this delivery alone; for `ack`, `nack` and `extend`."""
    receives: int
    """How often the message has been received, this time included: 1 the first time."""


class ReliableQueue:
    """A queue that any number of servers share: those with the same `name` on the same Redis.

    A received message is *invisible*: nobody else receives it until its visibility timeout is over. Then, unless it
    was acknowledged, it is *visible* again, because its receiver has probably died. So a message is delivered at
    least once, and handlers must bear duplicates.
    """

    def __init__(self, redis: Redis, name: str, *, visibility: float = 30.0) -> None:
        """No step to Redis is made here.

        Args:
            redis: an asyncio client with its default `decode_responses=False`, which does not retry by itself.
            name: any text that UTF-8 can encode; all of it counts.
            visibility: seconds, 0.001 to 315 360 000 (ten years): the default of `receive` and `extend`.

        Raises:
            ValueError: `visibility` is out of range.
        """
        raise NotImplementedError("ReliableQueue.__init__ is yours to write; its rules stand in README.md")

    async def send(self, body: bytes, *, delay: float = 0.0) -> str:
        """Append a message, which nobody receives for `delay` seconds; returns its id.

        Once this has returned, the message is there. If it raises a connection error, nobody knows.

        Raises:
            TypeError: `body` is not bytes.
            ValueError: `delay` is not from 0 to 315 360 000 (ten years).
        """
        raise NotImplementedError("ReliableQueue.send is yours to write; its rules stand in README.md")

    async def receive(self, visibility: float | None = None) -> Delivery | None:
        """The next visible message, now invisible for `visibility` seconds; None, at once, if there is none.

        Raises:
            ValueError: `visibility` is not from 0.001 to 315 360 000 (ten years).
        """
        raise NotImplementedError("ReliableQueue.receive is yours to write; its rules stand in README.md")

    async def ack(self, receipt: str) -> bool:
        """The work is done: remove the message. False, and nothing happens, if the receipt is stale."""
        raise NotImplementedError("ReliableQueue.ack is yours to write; its rules stand in README.md")

    async def nack(self, receipt: str, *, delay: float = 0.0) -> bool:
        """The work failed: make the message visible again in `delay` seconds, and the receipt stale.

        False, and nothing happens, if the receipt is stale already.

        Raises:
            ValueError: `delay` is not from 0 to 315 360 000 (ten years).
        """
        raise NotImplementedError("ReliableQueue.nack is yours to write; its rules stand in README.md")

    async def extend(self, receipt: str, visibility: float | None = None) -> bool:
        """The work takes longer: the message is invisible for `visibility` seconds from now, not from its deadline.

        False, and nothing happens, if the receipt is stale: stop working, somebody else may have begun.

        Raises:
            ValueError: `visibility` is not from 0.001 to 315 360 000 (ten years).
        """
        raise NotImplementedError("ReliableQueue.extend is yours to write; its rules stand in README.md")
