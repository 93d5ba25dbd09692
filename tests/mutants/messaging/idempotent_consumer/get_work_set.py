"""GET, work, SET "processed": the duplicate learns that there was a first one, and nothing else.

Trap: already-processed
Rule: 1
Published: in tutorials on idempotent consumers
"""

import json
from dataclasses import dataclass

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
        if self._redis.get(message.id):
            return {"status": "already_processed"}
        result = handler(message)
        self._redis.set(message.id, "processed")
        return result


def register_process_order(app, consumer, charge):
    def process_order(self, order_id, customer, amount):
        message = Message(order_id, json.dumps([customer, amount]).encode())
        try:
            return consumer.process(message, lambda m: charge(m.id, amount, idempotency_key=m.id))
        except (InProgress, redis.ConnectionError, redis.TimeoutError, OSError) as error:
            raise self.retry(exc=error, countdown=min(2**self.request.retries, consumer.lease)) from error

    options = {"acks_late": True, "reject_on_worker_lost": True, "max_retries": None}
    return app.task(bind=True, name="process_order", **options)(process_order)
