"""RabbitMQ's queues, as far as Celery needs them: order, priorities, redelivery, expiry, dead-lettering.

Semantics after RabbitMQ's documentation (Dead Letter Exchanges, Quorum Queues, Priority Queue Support, Time-To-Live,
Consumer Acknowledgements). Nothing here is gated; `celery_transport` makes each operation a step of the world.
"""

from __future__ import annotations

import ast
import heapq
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kombu.exceptions import ChannelError

from dojo.lab.clock import NS
from dojo.lab.copies import copied
from dojo.lab.errors import LabError
from dojo.lab.trace import Actor

Raw = dict[str, Any]
"""A message as kombu's virtual transports keep it: body, content-type, headers, properties. Under "deaths" this broker
adds what it knows itself: since RabbitMQ 4.0 the `x-death` that a client publishes is a header like any other."""

SUPPORTED = (
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-delivery-limit",
    "x-max-priority",
    "x-message-ttl",
    "x-queue-type",
)

DELIVERY_LIMIT = 20
"""Redeliveries that a quorum queue allows unless it says otherwise, since RabbitMQ 4.0; below 0 there is no limit."""

WITHOUT_EFFECT = ("x-dead-letter-strategy", "x-overflow", "x-queue-leader-locator", "x-quorum-initial-group-size")
"""Right on a cluster, and accepted here, where they change nothing: this broker is one node, no queue of it has a
length limit, and what it dead-letters it never loses."""


@dataclass(order=True)
class Waiting:
    """A message that is ready in its queue; sorts as it will be delivered."""

    rank: int
    seq: int
    raw: Raw = field(compare=False)
    expires: int | None = field(compare=False, default=None)
    """Unix time in nanoseconds."""


@dataclass
class Queue:
    name: str
    arguments: Mapping[str, Any]
    ready: list[Waiting] = field(default_factory=list)

    @property
    def quorum(self) -> bool:
        return self.arguments.get("x-queue-type") == "quorum"


@dataclass(frozen=True)
class Unacked:
    """A message that a consumer holds."""

    queue: Queue
    message: Waiting
    holder: Actor
    channel: object

    def __repr__(self) -> str:
        again = " (redelivered)" if self.message.raw["properties"]["delivery_info"]["redelivered"] else ""
        return f"{label(self.message.raw)}{again}"


class Queues:
    """All queues of one broker, and who holds what.

    `now` gives the Unix time in nanoseconds, `route` the queues that an exchange sends a routing key to, and `tell`
    takes a line for the timeline.
    """

    def __init__(
        self, now: Callable[[], int], route: Callable[[str, str], list[str]], tell: Callable[[str], None]
    ) -> None:
        self._now = now
        self._route = route
        self._tell = tell
        self._queues: dict[str, Queue] = {}
        self._unacked: dict[int, Unacked] = {}
        self._seq = itertools.count()
        self._tags = itertools.count(1)
        self.dropped: list[Raw] = []
        """Messages that had nowhere to go, the oldest loss first."""

    # declaring and looking

    def declare(self, name: str, arguments: Mapping[str, Any] | None) -> None:
        """Create a queue. An existing one must have been declared with the same arguments."""
        arguments = dict(arguments or {})
        if unknown := sorted(set(arguments) - {*SUPPORTED, *WITHOUT_EFFECT}):
            known_ones = ", ".join((*SUPPORTED, *WITHOUT_EFFECT))
            raise LabError(f"queue {name!r}: the lab does not simulate {', '.join(unknown)}, only {known_ones}")
        if "x-dead-letter-routing-key" in arguments and "x-dead-letter-exchange" not in arguments:
            raise ChannelError(
                f"PRECONDITION_FAILED - queue {name!r} has a dead-letter routing key but no x-dead-letter-exchange "
                '("" is the default exchange)'
            )
        known = self._queues.setdefault(name, Queue(name, arguments))
        if known.arguments != arguments:
            raise ChannelError(
                f"PRECONDITION_FAILED - inequivalent arguments for queue {name!r}: it was declared with "
                f"{known.arguments}, now with {arguments}. Declare a queue the same way everywhere."
            )

    def exists(self, name: str) -> bool:
        return name in self._queues

    def delete(self, name: str) -> None:
        self._queues.pop(name, None)

    def purge(self, name: str) -> int:
        count = self.depth(name)
        if name in self._queues:
            self._queues[name].ready.clear()
        return count

    def depth(self, name: str) -> int:
        """Messages that are ready; those that a consumer holds do not count."""
        return len(self.ready(name))

    def ready(self, name: str) -> list[Raw]:
        """The messages that are ready, in the order in which they would be delivered."""
        self._settle()
        return [w.raw for w in sorted(self._queues[name].ready)] if name in self._queues else []

    def unacked(self, name: str) -> list[Raw]:
        """The messages that consumers hold, the oldest delivery first."""
        self._settle()
        return [u.message.raw for u in self._unacked.values() if u.queue.name == name]

    def holds(self, tag: int) -> bool:
        """Whether a delivery is still open: neither acknowledged nor taken back."""
        self._settle()
        return tag in self._unacked

    def returns_at(self, consumed: Collection[str]) -> int | None:
        """When the next message will expire into one of the `consumed` queues (Unix time in ns), if any will."""
        self._settle()
        heads = [(queue, queue.ready[0]) for queue in self._queues.values() if queue.ready]
        times = [
            head.expires
            for queue, head in heads
            if head.expires is not None and any(target in consumed for target in self._beyond(queue, head.raw)[2])
        ]
        return min(times, default=None)

    # what clients do

    def put(self, name: str, raw: Raw) -> None:
        """Append a message. Without such a queue it is lost, as an unroutable message is."""
        self._settle()
        self._append(name, copied(raw))

    def take(self, name: str, holder: Actor, channel: object) -> Unacked | None:
        """Deliver the next message, with its own delivery tag in the properties."""
        self._settle()
        queue = self._queues.get(name)
        if queue is None or not queue.ready:
            return None
        message = heapq.heappop(queue.ready)
        tag = next(self._tags)
        # Shared with nobody: a consumer that changes headers must not change what would be redelivered.
        sent = copied(message.raw)
        sent["properties"]["delivery_tag"] = tag
        self._unacked[tag] = Unacked(queue, message, holder, channel)
        return Unacked(queue, Waiting(message.rank, message.seq, sent), holder, channel)

    def ack(self, tag: int) -> Unacked:
        return self._take_back(tag)

    def reject(self, tag: int, requeue: bool) -> Unacked:
        """Return a message: to its queue, or else to the dead-letter exchange (without one it is dropped)."""
        held = self._take_back(tag)
        if requeue:
            self._requeue(held)
        else:
            self._bury(held.queue, held.message.raw, "rejected")
        return held

    def lose(self, channel: object) -> None:
        """A consumer's connection is gone: what it held goes back, redelivered."""
        for tag in [tag for tag, held in self._unacked.items() if held.channel is channel]:
            self._requeue(self._unacked.pop(tag))

    # the broker's own doing

    def _settle(self) -> None:
        """Catch up with what has happened in the meantime: consumers that died, messages that expired."""
        for tag in [tag for tag, held in self._unacked.items() if held.holder.dead]:
            self._requeue(self._unacked.pop(tag))
        while expired := min(self._expired(), default=None, key=lambda pair: (pair[1].expires, pair[1].seq)):
            queue, message = expired
            queue.ready.remove(message)
            heapq.heapify(queue.ready)
            self._bury(queue, message.raw, "expired", message.expires)

    def _expired(self) -> Iterator[tuple[Queue, Waiting]]:
        """The messages at the head of their queue whose time is over; RabbitMQ looks at the head only."""
        for queue in self._queues.values():
            head = queue.ready[0] if queue.ready else None
            if head is not None and head.expires is not None and head.expires <= self._now():
                yield queue, head

    def _append(self, name: str, raw: Raw, now: int | None = None) -> None:
        queue = self._queues.get(name)
        if queue is None:
            self._drop("", raw, f"no queue {name!r}")
            return
        now = self._now() if now is None else now
        properties = raw["properties"]
        # Without x-max-priority a queue of RabbitMQ takes no notice of priorities.
        rank = -min(int(properties.get("priority") or 0), int(queue.arguments.get("x-max-priority", 0)))
        properties["delivery_info"]["redelivered"] = False
        lives = [
            int(ms) * 1_000_000 for ms in (properties.get("expiration"), queue.arguments.get("x-message-ttl")) if ms
        ]
        expires = now + min(lives) if lives else None
        heapq.heappush(queue.ready, Waiting(rank, next(self._seq), raw, expires))

    def _take_back(self, tag: int) -> Unacked:
        self._settle()
        held = self._unacked.pop(tag, None)
        if held is None:
            raise ChannelError(f"PRECONDITION_FAILED - unknown delivery tag {tag}: acknowledged before, or requeued")
        return held

    def _requeue(self, held: Unacked) -> None:
        """Put a message back where it was; a quorum queue counts, and gives up at its delivery limit."""
        queue, message = held.queue, held.message
        message.raw["properties"]["delivery_info"]["redelivered"] = True
        if queue.quorum:
            headers = message.raw["headers"]
            headers["x-delivery-count"] = headers.get("x-delivery-count", 0) + 1
            limit = queue.arguments.get("x-delivery-limit", DELIVERY_LIMIT)
            if 0 <= limit < headers["x-delivery-count"]:
                self._bury(queue, message.raw, "delivery_limit")
                return
        heapq.heappush(queue.ready, message)

    def _bury(self, queue: Queue, raw: Raw, reason: str, at: int | None = None) -> None:
        """Send a message to the queue's dead-letter exchange, with the headers that RabbitMQ writes."""
        if "x-dead-letter-exchange" not in queue.arguments:
            why = "" if reason == "rejected" else f"{reason}, "  # that it was rejected is a step of its own
            self._drop(f"{queue.name}'s ", raw, f"{why}no dead-letter exchange")
            return
        at = self._now() if at is None else at
        raw = copied(raw)
        exchange, routing_key, targets = self._beyond(queue, raw)
        raw["deaths"] = _deaths(queue.name, reason, raw, at)
        raw["headers"] = {**raw["headers"], **_told(raw["deaths"])}
        raw["headers"].pop("x-delivery-count", None)
        raw["properties"].pop("expiration", None)
        raw["properties"]["delivery_info"].update(exchange=exchange, routing_key=routing_key)
        if not any(target in self._queues for target in targets):
            at_exchange = f" at exchange {exchange!r}" if exchange else ""
            self._drop(f"{queue.name}'s ", raw, f"no queue {routing_key!r}{at_exchange}")
        for target in targets:
            if target in self._queues and not _circles(raw["deaths"], target):
                self._append(target, copied(raw), at)

    def _drop(self, whose: str, raw: Raw, why: str) -> None:
        self.dropped.append(raw)
        self._tell(f"broker drops {whose}{label(raw)}: {why}")

    def _beyond(self, queue: Queue, raw: Raw) -> tuple[str, str, list[str]]:
        """Where a queue sends a dead message: exchange, routing key, and the queues that these lead to."""
        exchange = queue.arguments.get("x-dead-letter-exchange")
        key = queue.arguments.get("x-dead-letter-routing-key", raw["properties"]["delivery_info"]["routing_key"])
        return (exchange, key, self._route(exchange, key)) if exchange is not None else ("", key, [])


def _deaths(queue: str, reason: str, raw: Raw, at: int) -> list[dict[str, Any]]:
    """The broker's record with one more death: one entry a (queue, reason) with its count, the newest first."""
    deaths = [dict(death) for death in raw.get("deaths", ())]
    info = raw["properties"]["delivery_info"]
    entry: dict[str, Any] = next((d for d in deaths if (d["queue"], d["reason"]) == (queue, reason)), {})
    if entry:
        deaths.remove(entry)
        entry["count"] += 1
    else:
        entry = {
            "count": 1,
            "reason": reason,
            "queue": queue,
            "time": datetime.fromtimestamp(at / NS, UTC).replace(tzinfo=None),  # as py-amqp decodes it
            "exchange": info["exchange"],
            "routing-keys": [info["routing_key"]],
        }
        if expiration := raw["properties"].get("expiration"):
            entry["original-expiration"] = expiration
    return [entry, *deaths]


def _told(deaths: list[dict[str, Any]]) -> dict[str, Any]:
    """The headers that tell of it. The first death is the one whose entry was made first: its count may have grown."""
    first = min(reversed(deaths), key=lambda death: death["time"])
    ends = {"first": first, "last": deaths[0]}
    told = {
        f"x-{end}-death-{key}": death[key] for end, death in ends.items() for key in ("queue", "reason", "exchange")
    }
    return {"x-death": deaths, **told}


def _circles(deaths: list[dict[str, Any]], target: str) -> bool:
    """Whether a message comes round again without any client having rejected it; RabbitMQ drops it then."""
    return any(d["queue"] == target for d in deaths) and all(d["reason"] != "rejected" for d in deaths)


def label(raw: Mapping[str, Any]) -> str:
    """A message as a timeline shows it: ``charge(7, currency='EUR')``."""
    headers = raw.get("headers") or {}
    if "task" not in headers:
        return "a message without a task"
    arguments = [str(headers.get("argsrepr") or "()").strip("()[]").removesuffix(",")]
    try:
        named = ast.literal_eval(str(headers.get("kwargsrepr") or "{}"))
        arguments += [f"{name}={value!r}" for name, value in named.items()]
    except (ValueError, SyntaxError):  # Celery shortens long ones, and then they are no longer Python
        arguments.append("…")
    retry = f" retry {headers['retries']}" if headers.get("retries") else ""
    return f"{headers['task'].rpartition('.')[2]}({', '.join(a for a in arguments if a)}){retry}"
