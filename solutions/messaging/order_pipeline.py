"""An order pipeline: answer at once, work later, and never lose an order.

A client gets its receipt before any work is done, and asks later how its order stands. Messages may be lost, late or
doubled, processes may die, the broker may be down: an order with a receipt is known, and ends, once.
(C. Richardson, Microservices Patterns: Transactional outbox; RFC 9110, section 15.3.3: 202 Accepted.)
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, TypeAlias

import redis
from celery import Celery, Task
from fastapi import Body, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse

#: None, bool, int, finite float, str that UTF-8 can encode, and lists and str-keyed dicts of these.
JSON: TypeAlias = Any

#: How far an order has come. It only ever moves to the right: pending, started, then done or failed.
State = Literal["pending", "started", "done", "failed"]

#: The largest amount of an order, in the currency's smallest unit.
MAX_AMOUNT = 10**12

#: The longest customer, and the longest idempotency key, in characters.
MAX_TEXT = 200

# The braces keep a pipeline's keys in one slot of a cluster.
_DUE, _RECORD, _KEY = "{orders}:due", "{orders}:order:", "{orders}:key:"
_TRANSIENT = (ConnectionError, TimeoutError, redis.ConnectionError, redis.TimeoutError)
_log = logging.getLogger(__name__)

# The record is its own outbox, so there is one write that can fail, and messages are mere hints: "look at this order".
# A record, an entry in the outbox, a mark for the idempotency key: all of them or none. Run once more with the same
# arguments, by a client that repeats what got no reply, it changes nothing.
_ACCEPT = """
local id = KEYS[2] and redis.call('GET', KEYS[2]) or ARGV[1]
local record = ARGV[2] .. id
if redis.call('EXISTS', record) == 0 then
  redis.call('HSET', record, 'order', ARGV[3], 'state', 'pending')
  redis.call('ZADD', KEYS[1], ARGV[4], id)
  if KEYS[2] then
    redis.call('SET', KEYS[2], id)
    redis.call('HSET', record, 'key', KEYS[2])
  end
end
return {id, redis.call('HGET', record, 'order'), redis.call('HGET', record, 'state')}
"""

# The next order that is due, for this caller alone: it is due again at ARGV[2].
_CLAIM = """
local id = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 1)[1]
if id then redis.call('ZADD', KEYS[1], ARGV[2], id) end
return id
"""

_START = """
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'pending' and state ~= 'started' then return false end
redis.call('HSET', KEYS[1], 'state', 'started')
return redis.call('HGET', KEYS[1], 'order')
"""

# The first end is the end. From here on nothing of the order is left without a TTL.
_END = """
if redis.call('HGET', KEYS[1], 'state') ~= 'started' then return end
redis.call('HSET', KEYS[1], 'state', ARGV[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local key = redis.call('HGET', KEYS[1], 'key')
if key then redis.call('PEXPIRE', key, ARGV[4]) end
redis.call('ZREM', KEYS[2], ARGV[5])
"""


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
        self._redis = client
        self._retention_ms = round(retention * 1000)
        self._patience = patience
        self._fulfil = fulfil

        def work(order_id: str) -> None:
            self._work(order_id)

        # Celery's defaults will do: the relay makes up for a message that was lost with its worker, or that failed.
        self._task: Task = app.task(name="orders.fulfil")(work)

    def submit(self, order: Order, *, key: str | None = None) -> Receipt:
        """Accept an order; its receipt, at once, and whether or not the message broker can be reached.

        `key`: the client's idempotency key, 1 to MAX_TEXT characters that UTF-8 can encode. The same order with the
        same key is the same order, for as long as that is known: nothing happens, and the receipt says how it stands.

        Raises InvalidOrder; Conflict if the key came with another order; and redis' own errors, after which the order
        may have been accepted or not: submit it again with the same key.
        """
        _check(order, key)
        mine, body = uuid.uuid4().hex, json.dumps(asdict(order))
        keys = [_DUE] if key is None else [_DUE, _KEY + key]
        due = time.time() + self._patience  # until then, publishing it is our business
        answer: Any = self._redis.eval(_ACCEPT, len(keys), *keys, mine, _RECORD, body, due)
        order_id, accepted, state = answer
        if accepted != body:
            raise Conflict(f"idempotency key {key!r} came before with another order; give each order its own key")
        if order_id == mine:
            self._publish(mine)
        return Receipt(order_id, state)

    def relay(self) -> int:
        """Publish every order that is due; how many the broker has taken.

        Call it every few seconds, from as many processes as you like. Raises redis' own errors, and none of the
        broker's: what that did not take is published by a later call, `patience` from now at the latest.
        """
        now, published = time.time(), 0
        while order_id := self._redis.eval(_CLAIM, 1, _DUE, now, now + self._patience):
            published += self._publish(str(order_id))
        return published

    def status(self, order_id: str) -> Status | None:
        """How an order stands; None if it is not known (any more). Asks the store, once, and waits for nobody.

        Raises redis' own errors.
        """
        found: Any = self._redis.hmget(_RECORD + order_id, "state", "result", "error")
        state, result, error = found
        if state is None:
            return None
        return Status(order_id, state, None if result is None else json.loads(result), error)

    def _publish(self, order_id: str) -> bool:
        try:
            self._task.apply_async((order_id,))
        except Exception:  # noqa: BLE001 - whatever keeps the broker from taking it, the order stays due
            _log.warning("order %s is not published yet", order_id, exc_info=True)
            return False
        return True

    def _work(self, order_id: str) -> None:
        body: Any = self._redis.eval(_START, 1, _RECORD + order_id)
        if body is None:
            return  # it has ended, or is not known any more: this message is a duplicate
        try:
            result = self._fulfil(order_id, Order(**json.loads(body)))
            end = "done", "result", json.dumps(result, ensure_ascii=False, allow_nan=False)
            end[2].encode()  # half a surrogate pair has no UTF-8, neither for the store nor for the client
        except _TRANSIENT:
            raise  # no end: the relay will publish it again
        except Exception as error:  # noqa: BLE001 - whatever it is, the order has failed
            # Only a Rejected was written for the client's eyes; any other text may hold a password.
            told = f"{type(error).__name__}: {error}" if isinstance(error, Rejected) else type(error).__name__
            _log.warning("order %s has failed", order_id, exc_info=True)
            end = "failed", "error", told.encode(errors="replace").decode()
        self._redis.eval(_END, 2, _RECORD + order_id, _DUE, *end, self._retention_ms, order_id)


def _check(order: Order, key: str | None) -> None:
    if not _is_text(order.customer):
        raise InvalidOrder(f"customer must be text of 1 to {MAX_TEXT} characters")
    if type(order.amount) is not int or not 1 <= order.amount <= MAX_AMOUNT:
        raise InvalidOrder(f"amount must be a whole number from 1 to {MAX_AMOUNT} (the currency's smallest unit)")
    if key is not None and not _is_text(key):
        raise InvalidOrder(f"an idempotency key is text of 1 to {MAX_TEXT} characters")


def _is_text(value: object) -> bool:
    # Half a surrogate pair is legal in JSON, alas, and cannot be encoded.
    return isinstance(value, str) and re.fullmatch(rf"[^\ud800-\udfff]{{1,{MAX_TEXT}}}", value) is not None


def create_app(pipeline: OrderPipeline) -> FastAPI:
    """The pipeline over HTTP.

    ``POST /orders`` takes a JSON object with exactly `customer` and `amount`, and ``Idempotency-Key`` if there is that
    header. 202 with ``Location`` and ``{"id", "state"}``; 409 for a Conflict; 422 for an order that is none.
    ``GET /orders/{id}``: 200 with ``{"id", "state", "result", "error"}``; 404 if the order is not known.
    Either is 503 while the store cannot be reached. They answer from `pipeline.submit` and `pipeline.status` alone,
    which block, so never on the event loop.
    """
    app = FastAPI()

    # `def`, not `async def`: FastAPI then calls them in worker threads. The body is no model: FastAPI's answer to what
    # does not fit a model repeats it, and if that is NaN, the answer cannot be written and the client sees a 500.
    @app.post("/orders", status_code=202)
    def accept(
        body: Annotated[Any, Body()], response: Response, idempotency_key: Annotated[str | None, Header()] = None
    ) -> Receipt:
        if not isinstance(body, dict) or body.keys() != {"customer", "amount"}:
            raise HTTPException(422, "an order is an object with customer and amount, and nothing else")
        try:
            receipt = pipeline.submit(Order(**body), key=idempotency_key)
        except InvalidOrder as error:
            raise HTTPException(422, str(error)) from error
        except Conflict as error:
            raise HTTPException(409, "this Idempotency-Key came before with another order") from error
        response.headers["Location"] = f"/orders/{receipt.id}"
        return receipt

    @app.get("/orders/{order_id}")
    def tell(order_id: str) -> Status:
        status = pipeline.status(order_id)
        if status is None:
            raise HTTPException(404, "no such order, or its retention is over")
        return status

    @app.exception_handler(redis.ConnectionError)
    @app.exception_handler(redis.TimeoutError)
    async def unavailable(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": "the order store cannot be reached: try again, with the same key"}, 503)

    return app
