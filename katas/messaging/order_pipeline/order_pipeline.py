"""An order pipeline: answer at once, work later, and never lose an order.

A client gets its receipt before any work is done, and asks later how its order stands. Messages may be lost, late or
doubled, processes may die, the broker may be down: an order with a receipt is known, and ends, once.
(C. Richardson, Microservices Patterns: Transactional outbox; RFC 9110, section 15.3.3: 202 Accepted.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import redis
from celery import Celery
from fastapi import FastAPI

#: None, bool, int, finite float, str that UTF-8 can encode, and lists and str-keyed dicts of these.
JSON: TypeAlias = Any

#: How far an order has come. It only ever moves to the right: pending, started, then done or failed.
State = Literal["pending", "started", "done", "failed"]

#: The largest amount of an order, in the currency's smallest unit.
MAX_AMOUNT = 10**12

#: The longest customer, and the longest idempotency key, in characters.
MAX_TEXT = 200


class InvalidOrder(ValueError):
    """The order or its idempotency key breaks the contract; the message says how. Nothing was stored."""


class Conflict(Exception):
    """The idempotency key came before with another order. Nothing was stored; each order needs a key of its own."""


class Rejected(Exception):
    """`fulfil` raises this, or a subclass, for an order that cannot be fulfilled. Its text is shown to the client."""


@dataclass(frozen=True)
class Order:
    """What a client orders."""

    customer: str
    """1 to MAX_TEXT characters that UTF-8 can encode."""
    amount: int
    """In the currency's smallest unit, 1 to MAX_AMOUNT; no bool, no float."""


@dataclass(frozen=True)
class Receipt:
    """The answer to a submitted order."""

    id: str
    """20 to 64 characters out of A-Z, a-z, 0-9, "-" and "_"; no two orders have the same."""
    state: State


@dataclass(frozen=True)
class Status:
    """What is known of an order at one instant."""

    id: str
    state: State
    result: JSON = None
    """What `fulfil` returned, once the order is done."""
    error: str | None = None
    """Once it has failed: "CardDeclined: no funds" for a Rejected, the bare "KeyError" for any other exception."""


class OrderPipeline:
    """Takes orders, has them fulfilled by a Celery worker of `app`, and knows how each of them stands.

    Registers the task ``orders.fulfil(order_id)`` on `app`. It calls ``fulfil(order_id, order)``, which returns a
    JSON value, and which may be called again for the same order id, even while another worker is at it: its effect
    must bear the order id as its idempotency key.
    `client`: the store, a client with ``decode_responses=True``.
    `retention`: seconds that an order is known from its end. `patience`: seconds after which an order that has been
    published and has not ended is published again. Fractions count, a millisecond more or less does not.
    """

    def __init__(
        self,
        app: Celery,
        client: redis.Redis,
        fulfil: Callable[[str, Order], JSON],
        *,
        retention: float,
        patience: float,
    ) -> None:
        raise NotImplementedError("OrderPipeline.__init__ is yours to write; its rules stand in README.md")

    def submit(self, order: Order, *, key: str | None = None) -> Receipt:
        """Accept an order; its receipt, at once, and whether or not the message broker can be reached.

        `key`: the client's idempotency key, 1 to MAX_TEXT characters that UTF-8 can encode. The same order with the
        same key is the same order, for as long as that is known: nothing happens, and the receipt says how it stands.

        Raises InvalidOrder; Conflict if the key came with another order; and redis' own errors, after which the order
        may have been accepted or not: submit it again with the same key.
        """
        raise NotImplementedError("OrderPipeline.submit is yours to write; its rules stand in README.md")

    def relay(self) -> int:
        """Publish every order that is due; how many the broker has taken.

        Call it every few seconds, from as many processes as you like. Raises redis' own errors, and none of the
        broker's: what that did not take is published by a later call, `patience` from now at the latest.
        """
        raise NotImplementedError("OrderPipeline.relay is yours to write; its rules stand in README.md")

    def status(self, order_id: str) -> Status | None:
        """How an order stands; None if it is not known (any more). Asks the store, once, and waits for nobody.

        Raises redis' own errors.
        """
        raise NotImplementedError("OrderPipeline.status is yours to write; its rules stand in README.md")


def create_app(pipeline: OrderPipeline) -> FastAPI:
    """The pipeline over HTTP.

    ``POST /orders`` takes a JSON object with exactly `customer` and `amount`, and ``Idempotency-Key`` if there is that
    header. 202 with ``Location`` and ``{"id", "state"}``; 409 for a Conflict; 422 for an order that is none.
    ``GET /orders/{id}``: 200 with ``{"id", "state", "result", "error"}``; 404 if the order is not known.
    Either is 503 while the store cannot be reached. They answer from `pipeline.submit` and `pipeline.status` alone,
    which block, so never on the event loop.
    """
    raise NotImplementedError("create_app is yours to write; its rules stand in README.md")
