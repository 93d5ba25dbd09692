"""A lost acknowledgement gives the message back, although its handler has done the work.

Trap: blamed-handler
Rule: 1
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, Protocol

from celery import Celery, Task
from celery.exceptions import Reject
from kombu.entity import Exchange, Queue
from kombu.utils.functional import maybe_list

SUFFIX = ".dlq"
"""What a queue's name and the name of its dead-letter queue differ by, unless the router is told otherwise."""

DEATHS = "deaths"
"""Header: the message's history, a list of `{"queue", "reason", "count", "at", "error"}`, the newest death first."""

FIRST_QUEUE = "first-death-queue"
"""Header: the queue in which the message died first; never changed again."""

REPLAYS = "replays"
"""Header: how often the message has been replayed."""

Outcome = Literal["done", "retry", "dead", "discarded"]


class Malformed(Exception):
    """A handler raises it for a body that it cannot read: no later attempt will be able to."""


class Rejected(Exception):
    """A handler raises it for a message that it understands and refuses, such as an order without items."""


class Delivery(Protocol):
    """One delivery of a message, as the broker hands it out."""

    @property
    def id(self) -> str:
        """The producer's name for the message."""

    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> dict[str, Any]:
        """JSON values; this delivery's own copy."""

    @property
    def queue(self) -> str:
        """The queue that it was delivered from."""

    @property
    def delivery_count(self) -> int:
        """Deliveries of this message since it was published to this queue, this one included."""


class Broker(Protocol):
    """A connection to a message broker. Each method raises ConnectionError if the broker did not answer."""

    def publish(
        self, queue: str, body: bytes, *, id: str, headers: Mapping[str, Any] | None = None, delay: float = 0.0
    ) -> None:
        """Append a message; returns when the broker has confirmed it. Nobody gets it for `delay` seconds."""

    def get(self, queue: str) -> Delivery | None:
        """The oldest message that is ready, or None. It is this consumer's until it is settled."""

    def ack(self, delivery: Any) -> None:
        """Settle: the message is done, and gone."""

    def nack(self, delivery: Any, *, delay: float = 0.0) -> None:
        """Settle: the message goes back to its place in the queue. Nobody gets it for `delay` seconds."""


class DeadLetterRouter:
    """Settles deliveries: done, to be tried again, or dead and parked in the queue's own dead-letter queue.

    `max_attempts` (at least 1) is the number of deliveries that a message gets, the first included. `retry_delay` is
    the seconds between two of them. `suffix` (not empty) is added to a queue's name for the name of its dead-letter
    queue. Messages that die in one of the queues named in `discard` are dropped and counted instead. Raises ValueError
    for a `max_attempts` or a `suffix` that cannot work.
    """

    discarded: Counter[tuple[str, str]]
    """Messages dropped by this router, by (queue, reason)."""

    def __init__(
        self,
        broker: Broker,
        *,
        max_attempts: int = 3,
        retry_delay: float = 10.0,
        suffix: str = SUFFIX,
        discard: Collection[str] = (),
    ) -> None:
        if max_attempts < 1:
            raise ValueError(f"max_attempts counts the first delivery too, so it is at least 1, not {max_attempts}")
        if not suffix:
            raise ValueError("without a suffix each queue would be its own dead-letter queue")
        self._broker = broker
        self._max_attempts = max_attempts
        self._retry_delay = retry_delay
        self._suffix = suffix
        self._discard = frozenset(discard)
        self.discarded = Counter()

    def handle(self, delivery: Delivery, handler: Callable[[bytes], object]) -> Outcome:
        """Run `handler` on the body of a delivery, settle the delivery, and say what became of it.

        Whatever `handler` raises as an Exception is dealt with here. Raises ValueError, and settles nothing, for a
        delivery from a dead-letter queue; ConnectionError if the broker does not answer.
        """
        if delivery.queue.endswith(self._suffix):
            raise ValueError(f"{delivery.queue} is a dead-letter queue: replay() empties it, no handler does")
        if delivery.delivery_count > self._max_attempts:
            # Its consumers died before they could say so. Running it again would kill this one as well.
            return self._bury(delivery, "poison", None)
        try:
            handler(delivery.body)
        except Malformed as error:
            return self._bury(delivery, "malformed", error)
        except Rejected as error:
            return self._bury(delivery, "rejected", error)
        except Exception as error:  # noqa: BLE001 - any failure of a handler is this message's, not the consumer's
            if delivery.delivery_count == self._max_attempts:
                return self._bury(delivery, "failed", error)
            self._broker.nack(delivery, delay=self._retry_delay)
            return "retry"
        try:
            self._broker.ack(delivery)
        except ConnectionError:
            self._broker.nack(delivery, delay=self._retry_delay)
            return "retry"
        return "done"

    def replay(self, queue: str, *, limit: int | None = None) -> int:
        """Move the dead letters of `queue` back to it, the oldest first and at most `limit`; how many were moved.

        Raises ConnectionError if the broker does not answer; what was not moved by then is still a dead letter.
        """
        moved = 0
        while moved != limit and (letter := self._broker.get(queue + self._suffix)) is not None:
            # A new message of the old identity: the broker counts its deliveries from 1.
            headers = {**letter.headers, REPLAYS: letter.headers.get(REPLAYS, 0) + 1}
            self._broker.publish(queue, letter.body, id=letter.id, headers=headers)
            self._broker.ack(letter)
            moved += 1
        return moved

    def _bury(self, delivery: Delivery, reason: str, error: Exception | None) -> Outcome:
        if delivery.queue in self._discard:
            self._broker.ack(delivery)
            self.discarded[delivery.queue, reason] += 1
            return "discarded"
        headers = _with_death(delivery.headers, delivery.queue, reason, error)
        try:
            self._broker.publish(delivery.queue + self._suffix, delivery.body, id=delivery.id, headers=headers)
        except ConnectionError:
            # Stored or not, nobody knows. A second copy is a nuisance, a lost message a loss.
            self._broker.nack(delivery, delay=self._retry_delay)
            return "retry"
        self._broker.ack(delivery)
        return "dead"


def _with_death(headers: Mapping[str, Any], queue: str, reason: str, error: Exception | None) -> dict[str, Any]:
    """The headers with one more death in them: an entry a (queue, reason), so that a loop cannot make them grow."""
    deaths = headers.get(DEATHS, [])
    same = [death for death in deaths if (death["queue"], death["reason"]) == (queue, reason)]
    newest = {
        "queue": queue,
        "reason": reason,
        "count": sum(death["count"] for death in same) + 1,
        "at": time.time(),
        "error": None if error is None else f"{type(error).__name__}: {error}",
    }
    others = [death for death in deaths if death not in same]
    return {**headers, DEATHS: [newest, *others], FIRST_QUEUE: headers.get(FIRST_QUEUE, queue)}


def dead_lettered_task(
    app: Celery,
    name: str,
    handler: Callable[..., Any],
    *,
    queue: str,
    max_attempts: int = 3,
    retry_delay: float = 10.0,
) -> Task:
    """Register the task `name` on `app`: it runs `handler` with the task's arguments, and is sent to `queue`.

    Declares `queue` and its dead-letter queue (`queue` + `SUFFIX`) on the broker, so call it when a process starts,
    not when a module is imported. A task that raises is executed again after `retry_delay` seconds. After
    `max_attempts` executions, or at once if it raises Malformed or Rejected, its message is dead-lettered. An
    execution that ends with its process counts as well.
    """
    dead_letters = queue + SUFFIX
    work = Queue(
        queue,
        # Through a topic exchange Celery has RabbitMQ hold the retries back (native delayed delivery); otherwise they
        # would wait in the worker's memory, and with quorum queues in the way of other tasks.
        Exchange(queue, type="topic"),
        routing_key=queue,
        queue_arguments={
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": dead_letters,
            # Nothing in Celery counts the workers that a message has killed; a quorum queue does. Its limit is on
            # the deliveries after the first.
            "x-queue-type": "quorum",
            "x-delivery-limit": max_attempts - 1,
        },
    )
    # Not among the app's queues, for a worker without -Q would consume it and execute the dead.
    parked = Queue(dead_letters)
    app.amqp.queues.add(work)
    app.conf.update(task_routes=[{name: {"queue": queue}}, *maybe_list(app.conf.task_routes or [])])
    with app.connection_for_write() as connection:
        for each in (parked, work):
            each(connection.default_channel).declare()

    def execute(self: Task, *args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except (Malformed, Rejected) as error:
            raise Reject(error, requeue=False) from error
        except Exception as error:
            if self.request.retries + 1 >= max_attempts:
                # Celery would raise, mark the task as failed and acknowledge: only a rejected message is dead-lettered.
                raise Reject(error, requeue=False) from error
            raise self.retry(exc=error, countdown=retry_delay) from error

    return app.task(
        name=name,
        bind=True,
        max_retries=None,  # counted here, in executions
        acks_late=True,  # a message that is acknowledged before it is executed cannot be rejected after
        reject_on_worker_lost=True,
    )(execute)


def replay_tasks(app: Celery, queue: str, *, limit: int | None = None) -> int:
    """Move the dead-lettered tasks of `queue` back to it, the oldest first and at most `limit`; how many were moved.

    Each keeps its id and its body, and has all its attempts again.
    """
    moved = 0
    with app.connection_for_write() as connection, app.producer_or_acquire() as producer:
        parked = Queue(queue + SUFFIX)(connection.default_channel)
        while moved != limit and (letter := parked.get()) is not None:
            headers = {**letter.headers, "retries": 0, REPLAYS: letter.headers.get(REPLAYS, 0) + 1}
            kept = {k: letter.properties.get(k) for k in ("correlation_id", "reply_to", "priority")}
            producer.publish(
                letter.body,
                routing_key=queue,
                headers=headers,
                content_type=letter.content_type,
                content_encoding=letter.content_encoding,
                **{k: value for k, value in kept.items() if value is not None},
            )
            letter.ack()
            moved += 1
    return moved
