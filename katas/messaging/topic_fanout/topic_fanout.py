"""A queue, whose consumers share the messages, and a topic, whose subscribers each get a copy of all of them.

Sources: Hohpe and Woolf, "Enterprise Integration Patterns": Competing Consumers, Publish-Subscribe Channel; RabbitMQ
documentation, "Consumer Acknowledgements"; Amazon SQS documentation, message groups of FIFO queues.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Closed(Exception):
    """This consumer was closed; ask its queue for another one."""


@dataclass(frozen=True, eq=False)
class Delivery:
    """A message in the hands of one consumer, until it is settled. Known by identity.

    body: this delivery's own copy of what was sent.
    key: what the message was sent with, or None.
    attempt: how often this message has been delivered, this time included: 1, 2, …
    """

    body: Any
    key: str | None
    attempt: int


class Queue:
    """Messages for whichever consumer comes first. Use it from one event loop.

    capacity: messages that may wait, at least 1; those that a consumer holds do not count. Raises ValueError for less.
    """

    dropped: int
    """Copies that a topic could not put into this queue, because it was full."""

    def __init__(self, *, capacity: int = 1000) -> None:
        raise NotImplementedError("Queue.__init__ is yours to write; its rules stand in README.md")

    async def send(self, body: Any, *, key: str | None = None) -> None:
        """Append a message, as `body` is now; waits while the queue is full.

        body: None, bool, int, float, str, and lists and dicts (with str keys) of them.
        key: messages of one key are handled one after another, in the order of sending; None for no such order.
        """
        raise NotImplementedError("Queue.send is yours to write; its rules stand in README.md")

    def consumer(self) -> Consumer:
        """Another consumer of this queue."""
        raise NotImplementedError("Queue.consumer is yours to write; its rules stand in README.md")


class Consumer:
    """One of the consumers that share a queue; it holds what it has received until it settles that, or is closed."""

    def __init__(self, queue: Queue) -> None:
        raise NotImplementedError("Consumer.__init__ is yours to write; its rules stand in README.md")

    async def receive(self) -> Delivery:
        """Wait for a message and hold it: nobody else gets it until this consumer gives it back.

        Raises Closed if this consumer is closed, before or meanwhile. Cancelled, it holds nothing.
        """
        raise NotImplementedError("Consumer.receive is yours to write; its rules stand in README.md")

    async def ack(self, delivery: Delivery) -> None:
        """Settle: the message is done, and gone. Raises ValueError if this consumer does not hold it."""
        raise NotImplementedError("Consumer.ack is yours to write; its rules stand in README.md")

    async def nack(self, delivery: Delivery) -> None:
        """Settle: the message goes back to the queue. Raises ValueError if this consumer does not hold it."""
        raise NotImplementedError("Consumer.nack is yours to write; its rules stand in README.md")

    async def close(self) -> None:
        """Give back what this consumer holds; it receives nothing more. Closing again is a no-op."""
        raise NotImplementedError("Consumer.close is yours to write; its rules stand in README.md")


class Topic:
    """Messages for all subscribers: each has a queue of its own, with copies of its own."""

    def __init__(self) -> None:
        raise NotImplementedError("Topic.__init__ is yours to write; its rules stand in README.md")

    async def subscribe(self, *, capacity: int = 1000) -> Queue:
        """A new queue, which gets a copy of whatever is published from now on. ValueError for a capacity below 1."""
        raise NotImplementedError("Topic.subscribe is yours to write; its rules stand in README.md")

    async def unsubscribe(self, queue: Queue) -> None:
        """No more copies for `queue`; what is in it can still be received. No-op for a queue that gets none."""
        raise NotImplementedError("Topic.unsubscribe is yours to write; its rules stand in README.md")

    async def publish(self, body: Any, *, key: str | None = None) -> None:
        """Put a copy of `body` into each subscriber's queue, and wait for none of them; a full one misses it.

        The parameters are those of `Queue.send`.
        """
        raise NotImplementedError("Topic.publish is yours to write; its rules stand in README.md")
