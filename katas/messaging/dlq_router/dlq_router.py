"""Dead letters: messages that fail are tried again, then parked, explained, and replayed when the bug is fixed.

`DeadLetterRouter` works on any broker that counts deliveries. `dead_lettered_task` and `replay_tasks` do the same for
Celery on RabbitMQ. The README has the contract.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, Protocol

from celery import Celery, Task

SUFFIX = ".dlq"

DEATHS = "deaths"

FIRST_QUEUE = "first-death-queue"

REPLAYS = "replays"

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
        raise NotImplementedError("DeadLetterRouter.__init__ is yours to write; its rules stand in README.md")

    def handle(self, delivery: Delivery, handler: Callable[[bytes], object]) -> Outcome:
        """Run `handler` on the body of a delivery, settle the delivery, and say what became of it.

        Whatever `handler` raises as an Exception is dealt with here. Raises ValueError, and settles nothing, for a
        delivery from a dead-letter queue; ConnectionError if the broker does not answer.
        """
        raise NotImplementedError("DeadLetterRouter.handle is yours to write; its rules stand in README.md")

    def replay(self, queue: str, *, limit: int | None = None) -> int:
        """Move the dead letters of `queue` back to it, the oldest first and at most `limit`; how many were moved.

        Raises ConnectionError if the broker does not answer; what was not moved by then is still a dead letter.
        """
        raise NotImplementedError("DeadLetterRouter.replay is yours to write; its rules stand in README.md")


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
    raise NotImplementedError("dead_lettered_task is yours to write; its rules stand in README.md")


def replay_tasks(app: Celery, queue: str, *, limit: int | None = None) -> int:
    """Move the dead-lettered tasks of `queue` back to it, the oldest first and at most `limit`; how many were moved.

    Each keeps its id and its body, and has all its attempts again.
    """
    raise NotImplementedError("replay_tasks is yours to write; its rules stand in README.md")
