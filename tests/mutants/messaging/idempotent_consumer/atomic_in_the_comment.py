"""The second attempt: a prefix, a day's TTL, the result kept, and a comment that says atomic.

Trap: check-then-act
Rule: 2
Published: in tutorials on idempotent consumers, with the word "atomic" beside it
"""

import json
from dataclasses import dataclass
from urllib.parse import quote

import redis


class InProgress(Exception):
    pass


class PayloadMismatch(Exception):
    pass


@dataclass(frozen=True)
class Message:
    id: str
    body: bytes


class IdempotentConsumer:
    def __init__(self, client, *, namespace, lease, retention):
        if not 0.001 <= lease <= retention <= 315_360_000:
            raise ValueError(f"need 0.001 <= lease <= retention <= ten years, not {lease=!r}, {retention=!r}")
        self._redis = client
        self._namespace = namespace
        self.lease = lease
        self._lease_ms = round(lease * 1000)
        self._retention_ms = round(retention * 1000)

    def process(self, message, handler):
        key = self._key(message.id)
        stored = self._redis.get(key)
        if stored is not None:
            return json.loads(stored)
        result = handler(message)
        # Mark as processed (atomic operation)
        self._redis.set(key, json.dumps(result), ex=86_400)
        return result

    def _key(self, message_id):
        return f"processed:{quote(self._namespace, safe='')}:{message_id}"


def register_process_order(app, consumer, charge):
    def process_order(self, order_id, customer, amount):
        message = Message(order_id, json.dumps([customer, amount]).encode())
        try:
            return consumer.process(message, lambda m: charge(m.id, amount, idempotency_key=m.id))
        except (InProgress, redis.ConnectionError, redis.TimeoutError, OSError) as error:
            raise self.retry(exc=error, countdown=min(2**self.request.retries, consumer.lease)) from error

    options = {"acks_late": True, "reject_on_worker_lost": True, "max_retries": None}
    return app.task(bind=True, name="process_order", **options)(process_order)
