"""Idempotent consumer: the same message twice, its effect once.

Brokers deliver *at least once*: when a worker dies before it acknowledges, its message is delivered again, to whoever
is there. The consumer remembers in Redis which messages are being processed, and what the finished ones returned.
(The pattern is "Idempotent Receiver" in Hohpe and Woolf, Enterprise Integration Patterns; its claim is a lease, as in
Gray and Cheriton, SOSP 1989.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import redis
from celery import Celery, Task

#: None, bool, int, float, str, and lists and str-keyed dicts of these.
JSON: TypeAlias = Any


class InProgress(Exception):
    """Another delivery holds the message's claim: do not acknowledge, deliver it again later.

    The handler has not run, or has outlived its lease.
    """


class PayloadMismatch(Exception):
    """This id is known with another body, so one of the two would be lost: alert, do not retry.

    The handler has not run, or has outlived its lease.
    """


@dataclass(frozen=True)
class Message:
    """One message as the broker delivers it; every redelivery carries the same id and the same body."""

    id: str
    """Any text: the whole of it identifies the message within its namespace."""
    body: bytes
    """The payload as it came off the wire; compared byte by byte, never interpreted."""


class IdempotentConsumer:
    """Runs a handler once per message, however often, and to however many workers, the message is delivered.

    `namespace` names the handler: the same id in two namespaces is two messages.
    `lease`: seconds that a claim is held. Choose it longer than the slowest handler: it is how long a message is
    blocked when its worker dies, and a handler that takes longer may run twice.
    `retention`: seconds that a result is kept once it is stored. Choose it longer than the broker may redeliver.
    Fractions count, a millisecond more or less does not.
    Raises ValueError unless 0.001 <= lease <= retention <= 315 360 000 (ten years).
    """

    def __init__(self, client: redis.Redis, *, namespace: str, lease: float, retention: float) -> None:
        raise NotImplementedError("IdempotentConsumer.__init__ is yours to write; its rules stand in README.md")

    def process(self, message: Message, handler: Callable[[Message], JSON]) -> JSON:
        """The result of the message's first completed delivery; runs ``handler(message)`` if there is none.

        Raises InProgress, at once, while another delivery holds the claim; PayloadMismatch if the id is claimed or
        stored with another body; whatever the handler raises, after the claim is released; and redis' own errors.
        """
        raise NotImplementedError("IdempotentConsumer.process is yours to write; its rules stand in README.md")


class Charge(Protocol):
    """Charges `amount` (smallest currency unit) for `reference`; a key that was used before gives the first charge."""

    def __call__(self, reference: str, amount: int, *, idempotency_key: str) -> JSON: ...


def register_process_order(app: Celery, consumer: IdempotentConsumer, charge: Charge) -> Task:
    """Put the task ``process_order(order_id, customer, amount)`` on the app; returns the task.

    The task charges each order once and returns the charge, however often it is sent, redelivered, or killed together
    with its process. A delivery that finds the order in progress, or Redis or the gateway out of reach, is retried
    until it gets through. Raises PayloadMismatch for a known order id with another customer or amount.
    (Celery user guide, "Tasks".)
    """
    raise NotImplementedError("register_process_order is yours to write; its rules stand in README.md")
