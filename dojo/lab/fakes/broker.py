"""A message broker reduced to what every broker has: named queues, confirmed publishing, deliveries to settle.

A message that is delivered stays with its consumer until that acknowledges it, gives it back, or is gone: its process
died, or its connection closed. Then it is delivered again. The broker counts the deliveries of each message, as Amazon
SQS (ApproximateReceiveCount) and RabbitMQ's quorum queues (x-delivery-count) do, and can hold one back for a while, as
SQS does (DelaySeconds, ChangeMessageVisibility). Nothing expires, and no delivery times out.

Each call of a client is one step of the world.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dojo.lab.fakes.inspection import for_tests
from dojo.lab.trace import Actor
from dojo.lab.trust import is_a, name_of, text
from dojo.lab.world import World

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Delivery:
    """One delivery of a message."""

    id: str
    """The producer's name for the message."""
    body: bytes
    headers: dict[str, Any]
    """JSON values; this delivery's own copy."""
    queue: str
    delivery_count: int
    """How often this message has been delivered since it was published to this queue: 1 the first time."""
    tag: int

    def __repr__(self) -> str:
        return f"<{self.id}, delivery {self.delivery_count}>"


@dataclass(frozen=True)
class Stored:
    """A message in a queue, as tests look at it."""

    id: str
    body: bytes
    headers: dict[str, Any]


@dataclass(eq=False)
class _Message:
    seq: int
    id: str
    body: bytes
    headers: str
    not_before_ns: int
    deliveries: int = 0


@dataclass(eq=False)
class _Held:
    queue: str
    message: _Message
    holder: Actor
    client: Broker


@dataclass
class Queues:
    """The broker's own side: the queues of one world, and who holds what."""

    world: World
    _ready: dict[str, list[_Message]] = field(default_factory=dict)
    _held: dict[int, _Held] = field(default_factory=dict)
    _down: set[str] = field(default_factory=set)
    _seq: Iterator[int] = field(default_factory=itertools.count)
    _tags: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ready(self, queue: str) -> list[_Message]:
        """The messages in a queue, the oldest first, those that are held back included."""
        for tag in [tag for tag, held in self._held.items() if held.holder.dead]:
            self.give_back(tag)
        return self._ready.setdefault(queue, [])

    def held(self, queue: str) -> list[_Message]:
        self.ready(queue)
        return [held.message for held in self._held.values() if held.queue == queue]

    def put(self, queue: str, id: str, body: bytes, headers: str, delay: float) -> str:
        if queue in self._down:
            raise _lost(f"queue {queue} takes no messages")
        self.ready(queue).append(_Message(next(self._seq), id, body, headers, self._after(delay)))
        return "OK"

    def take(self, queue: str, client: Broker) -> Delivery | None:
        now = self.world.clock.elapsed_ns
        message = next((m for m in self.ready(queue) if m.not_before_ns <= now), None)
        if message is None:
            return None
        self._ready[queue].remove(message)
        message.deliveries += 1
        tag = next(self._tags)
        self._held[tag] = _Held(queue, message, self.world.actor, client)
        return Delivery(message.id, message.body, json.loads(message.headers), queue, message.deliveries, tag)

    def drop(self, delivery: Delivery) -> str:
        self._open(delivery)
        del self._held[delivery.tag]
        return "OK"

    def delay(self, delivery: Delivery, delay: float) -> str:
        self._open(delivery).message.not_before_ns = self._after(delay)
        self.give_back(delivery.tag)
        return "OK"

    def give_back(self, tag: int) -> None:
        """Put a message where it was: its age decides its place."""
        held = self._held.pop(tag)
        ready = self._ready.setdefault(held.queue, [])
        ready.append(held.message)
        ready.sort(key=lambda message: message.seq)

    def disconnect(self, client: Broker) -> None:
        for tag in [tag for tag, held in self._held.items() if held.client is client]:
            self.give_back(tag)

    @contextlib.contextmanager
    def outage(self, queue: str) -> Iterator[None]:
        self._down.add(queue)
        try:
            yield
        finally:
            self._down.discard(queue)

    def _after(self, delay: float) -> int:
        return self.world.clock.elapsed_ns + round(delay * 1_000_000_000)

    def _open(self, delivery: Delivery) -> _Held:
        self.ready(delivery.queue)
        held = self._held.get(delivery.tag)
        if held is None:
            raise RuntimeError(
                f"delivery {delivery.tag} of {delivery.id} is settled already, or went back to its queue"
            )
        return held


class Broker:
    """One client's connection to a world's broker."""

    def __init__(self, world: World, queues: Queues) -> None:
        self._world = world
        self._queues = queues

    def publish(
        self, queue: str, body: bytes, *, id: str, headers: Mapping[str, Any] | None = None, delay: float = 0.0
    ) -> None:
        """Append a message to `queue`; returns when the broker has confirmed that it is stored.

        `headers` are JSON values. Nobody gets the message before `delay` seconds have passed. Raises ConnectionError
        if no confirmation came: then it may be stored or not.
        """
        if not is_a(body, bytes):
            raise TypeError(f"a body is bytes, not {name_of(type(body))}")
        # Over a wire go bytes and text, and no class of the producer's that would equal every other id.
        queue, id, content = text(queue), text(id), bytes.__getitem__(body, slice(None))
        kept, wait = json.dumps(dict(headers or {})), _seconds(delay)
        told = f"publish {queue} {id}" + (f" in {wait:g} s" if wait else "")
        self._step(told, queue, lambda: self._queues.put(queue, id, content, kept, wait))

    def get(self, queue: str) -> Delivery | None:
        """The oldest message of `queue` that may be delivered, or None. Raises ConnectionError."""
        return self._step(f"get {queue}", queue, lambda: self._queues.take(queue, self))

    def ack(self, delivery: Delivery) -> None:
        """The message is done: the broker forgets it. Raises ConnectionError, RuntimeError if settled already."""
        self._step(f"ack {delivery.id}", delivery.queue, lambda: self._queues.drop(delivery))

    def nack(self, delivery: Delivery, *, delay: float = 0.0) -> None:
        """Give the message back, to be delivered again, at the place in the queue that it had.

        Nobody gets it before `delay` seconds have passed. Raises ConnectionError, RuntimeError if settled already.
        """
        wait = _seconds(delay)
        told = f"nack {delivery.id}" + (f" for {wait:g} s" if wait else "")
        self._step(told, delivery.queue, lambda: self._queues.delay(delivery, wait))

    def close(self) -> None:
        """Close this connection: what it held goes back to its queues. No step, for it is what a restart does."""
        self._queues.disconnect(self)

    # inspection: no step, no trace

    @for_tests
    def messages(self, queue: str) -> list[Stored]:
        """The messages that nobody holds, the oldest first, those that are held back included."""
        return [Stored(m.id, m.body, json.loads(m.headers)) for m in self._queues.ready(queue)]

    @for_tests
    def held(self, queue: str) -> list[str]:
        """The ids of the messages that consumers hold."""
        return [message.id for message in self._queues.held(queue)]

    @for_tests
    def places(self, *queues: str) -> dict[str, list[str]]:
        """The ids of all messages of `queues`, by where they are, "held" included; empty places are left out."""
        ids = {queue: [message.id for message in self.messages(queue)] for queue in queues}
        held = [id for queue in queues for id in self.held(queue)]
        return {place: there for place, there in {**ids, "held": held}.items() if there}

    @for_tests
    def outage(self, queue: str) -> contextlib.AbstractContextManager[None]:
        """While this lasts, `queue` takes no messages: publishing there raises ConnectionError."""
        return self._queues.outage(queue)

    def _step(self, told: str, queue: str, apply: Callable[[], T]) -> T:
        return self._world.call_sync(told, apply, {f"queue {queue}".encode(): "w"}, _lost)


def _seconds(delay: float) -> float:
    delay = delay if type(delay) is int or is_a(delay, str) else float(delay)
    if not 0 <= delay < float("inf"):
        raise ValueError(f"a delay is a finite number of seconds, 0 or more, not {delay!r}")
    return delay


def _lost(message: str) -> ConnectionError:
    return ConnectionError(f"broker: {message}")
