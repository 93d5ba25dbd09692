"""publish does not pass the key on.

Trap: subscribers-compete
Rule: 12
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
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


@dataclass(eq=False)
class _Message:
    body: Any
    key: str | None
    attempts: int = 0


# Messages that must be handled one after another: all that have one key, or a single one that has none. The first one
# stays where it is until it is acknowledged, so whatever becomes of it, nobody can pass.
_Lane = deque[_Message]


class Queue:
    """Messages for whichever consumer comes first. Use it from one event loop.

    capacity: messages that may wait, at least 1; those that a consumer holds do not count. Raises ValueError for less.
    """

    dropped: int
    """Copies that a topic could not put into this queue, because it was full."""

    def __init__(self, *, capacity: int = 1000) -> None:
        if capacity < 1:
            raise ValueError(f"a queue has room for one message at least, not for {capacity}")
        self.dropped = 0
        self._capacity = capacity
        self._waiting = 0
        self._lanes: dict[str, _Lane] = {}
        # The lanes whose first message anybody may have now.
        self._ready: deque[_Lane] = deque()
        self._news = asyncio.Event()

    async def send(self, body: Any, *, key: str | None = None) -> None:
        """Append a message, as `body` is now; waits while the queue is full.

        body: None, bool, int, float, str, and lists and dicts (with str keys) of them.
        key: messages of one key are handled one after another, in the order of sending; None for no such order.
        """
        body = copy.deepcopy(body)
        while self._is_full:
            await self._change()
        self._append(_Message(body, key))

    def consumer(self) -> Consumer:
        """Another consumer of this queue."""
        return Consumer(self)

    @property
    def _is_full(self) -> bool:
        return self._waiting >= self._capacity

    def _append(self, message: _Message) -> None:
        self._waiting += 1
        lane = None if message.key is None else self._lanes.get(message.key)
        if lane is not None:
            lane.append(message)
            return
        lane = deque([message])
        if message.key is not None:
            self._lanes[message.key] = lane
        self._ready.append(lane)
        self._notify()

    def _offer(self, message: _Message) -> None:
        """Append a topic's copy, or drop it: whoever publishes waits for no subscriber."""
        if self._is_full:
            self.dropped += 1
        else:
            self._append(message)

    def _take(self) -> _Lane | None:
        """The lane whose first message is given out now."""
        if not self._ready:
            return None
        self._waiting -= 1
        self._notify()
        return self._ready.popleft()

    def _remove(self, lane: _Lane) -> None:
        """The message that was given out of `lane` is done."""
        done = lane.popleft()
        if lane:
            self._ready.append(lane)
            self._notify()
        elif done.key is not None:
            del self._lanes[done.key]

    def _give_back(self, lane: _Lane) -> None:
        # Full or not: a queue that refuses what it gave out has lost it.
        self._waiting += 1
        self._ready.append(lane)
        self._notify()

    # Whatever changes wakes everybody who waits, and they look for themselves. A wake-up for one task alone is lost
    # if that task is cancelled before it runs, and what it was for then waits beside others who would take it.

    def _notify(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _change(self) -> None:
        await self._news.wait()


class Consumer:
    """One of the consumers that share a queue; it holds what it has received until it settles that, or is closed."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._held: dict[Delivery, _Lane] = {}
        self._is_closed = False

    async def receive(self) -> Delivery:
        """Wait for a message and hold it: nobody else gets it until this consumer gives it back.

        Raises Closed if this consumer is closed, before or meanwhile. Cancelled, it holds nothing.
        """
        while not self._is_closed:
            # Nothing awaits between taking a message and returning it, so no cancellation can come in between.
            lane = self._queue._take()
            if lane is not None:
                message = lane[0]
                message.attempts += 1
                delivery = Delivery(copy.deepcopy(message.body), message.key, message.attempts)
                self._held[delivery] = lane
                return delivery
            await self._queue._change()
        raise Closed("this consumer was closed; ask the queue for another one")

    async def ack(self, delivery: Delivery) -> None:
        """Settle: the message is done, and gone. Raises ValueError if this consumer does not hold it."""
        self._queue._remove(self._let_go(delivery))

    async def nack(self, delivery: Delivery) -> None:
        """Settle: the message goes back to the queue. Raises ValueError if this consumer does not hold it."""
        self._queue._give_back(self._let_go(delivery))

    async def close(self) -> None:
        """Give back what this consumer holds; it receives nothing more. Closing again is a no-op."""
        self._is_closed = True
        for delivery in list(self._held):
            await self.nack(delivery)
        self._queue._notify()

    def _let_go(self, delivery: Delivery) -> _Lane:
        lane = self._held.pop(delivery, None)
        if lane is None:
            raise ValueError("this consumer does not hold that delivery: settled already, given back, or another's")
        return lane


class Topic:
    """Messages for all subscribers: each has a queue of its own, with copies of its own."""

    def __init__(self) -> None:
        self._queues: dict[Queue, None] = {}

    async def subscribe(self, *, capacity: int = 1000) -> Queue:
        """A new queue, which gets a copy of whatever is published from now on. ValueError for a capacity below 1."""
        queue = Queue(capacity=capacity)
        self._queues[queue] = None
        return queue

    async def unsubscribe(self, queue: Queue) -> None:
        """No more copies for `queue`; what is in it can still be received. No-op for a queue that gets none."""
        self._queues.pop(queue, None)

    async def publish(self, body: Any, *, key: str | None = None) -> None:
        """Put a copy of `body` into each subscriber's queue, and wait for none of them; a full one misses it.

        The parameters are those of `Queue.send`.
        """
        # Nothing in this loop awaits, so nobody comes or goes half-way.
        for queue in self._queues:
            queue._offer(_Message(copy.deepcopy(body), None))
