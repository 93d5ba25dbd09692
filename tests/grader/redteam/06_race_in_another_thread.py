"""Races in a thread that has no gate.

Kata: idempotent_consumer
Attack: Looks before it claims, in a thread of its own that it waits for, with errors handed on.
Status: failed
Points: 23
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

import redis
from celery import Celery, Task

#: None, bool, int, float, str, and lists and str-keyed dicts of these.
JSON: TypeAlias = Any

_TEN_YEARS = 315_360_000  # seconds; Redis refuses a TTL whose end does not fit into 64 bits of milliseconds

# Store the result if the claim is still ours, or if it ran out and nobody took over; the record that then stands.
_STORE = """
local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[1] then return found end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return ARGV[2]
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


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
        if not 0.001 <= lease <= retention <= _TEN_YEARS:
            raise ValueError(f"need 0.001 <= lease <= retention <= {_TEN_YEARS} s, not {lease=!r}, {retention=!r}")
        self._redis = client
        self._namespace = namespace
        self.lease = lease
        self._lease_ms = round(lease * 1000)
        self._retention_ms = round(retention * 1000)

    def process(self, message: Message, handler: Callable[[Message], JSON]) -> JSON:
        """The result of the message's first completed delivery; runs ``handler(message)`` if there is none.

        Raises InProgress, at once, while another delivery holds the claim; PayloadMismatch if the id is claimed or
        stored with another body; whatever the handler raises, after the claim is released; and redis' own errors.
        """
        key = self._key(message.id)
        owner = uuid.uuid4().hex  # one a delivery, not one a process: a worker may meet its own redelivery
        payload = hashlib.sha256(message.body).hexdigest()
        claim = json.dumps({"payload": payload, "owner": owner})
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            found: Any = pool.submit(self._claim, key, claim).result()
        # A client that retries after a lost reply finds the claim that it made itself.
        if found is not None and json.loads(found).get("owner") != owner:
            return _answer(found, message, payload)
        try:
            record = json.dumps({"payload": payload, "result": handler(message)})
        except BaseException:  # SystemExit too: a deploy must not block the message for a whole lease
            with contextlib.suppress(redis.RedisError):  # the claim runs out anyway; the handler's error must be seen
                self._redis.eval(_RELEASE, 1, key, claim)
            raise
        stands = self._redis.eval(_STORE, 1, key, claim, record, self._retention_ms)
        # Even the first caller gets what was stored, so that it sees what every duplicate will see.
        return _answer(stands, message, payload)

    def _claim(self, key, claim):
        found = self._redis.get(key)
        if found is None:
            self._redis.set(key, claim, px=self._lease_ms)
        return found

    def _key(self, message_id: str) -> str:
        # Quoted, the namespace has no colon, so the first colon after it is the border, whatever the id contains.
        return f"processed:{quote(self._namespace, safe='')}:{message_id}"


def _answer(stored: str | bytes, message: Message, payload: str) -> JSON:
    record = json.loads(stored)
    if record["payload"] != payload:
        raise PayloadMismatch(f"message {message.id!r} came before with another body; give each message its own id")
    if "owner" in record:
        raise InProgress(f"message {message.id!r} is being processed; deliver it again later")
    return record["result"]


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

    def process_order(self: Task, order_id: str, customer: str, amount: int) -> JSON:
        # The order's own id: Celery's task id would be another one if the producer sent the order twice.
        message = Message(order_id, json.dumps([customer, amount]).encode())
        try:
            # The gateway knows the order by the same id, so a charge whose result was lost is found again.
            return consumer.process(message, lambda m: charge(m.id, amount, idempotency_key=m.id))
        except (InProgress, redis.ConnectionError, redis.TimeoutError, ConnectionError, TimeoutError) as error:
            raise self.retry(exc=error, countdown=min(2**self.request.retries, consumer.lease)) from error

    task: Task = app.task(
        bind=True,
        name="process_order",
        acks_late=True,  # acknowledge what is done, not what has arrived
        reject_on_worker_lost=True,  # without it Celery acknowledges a task whose process was killed
        max_retries=None,
    )(process_order)
    return task
