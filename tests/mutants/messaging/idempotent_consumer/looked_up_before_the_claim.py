"""Result and claim under two keys; the result is looked up before the claim is made, and not after.

Trap: check-then-act
Rule: 2
"""

import contextlib
import hashlib
import json
import uuid
from dataclasses import dataclass
from urllib.parse import quote

import redis

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


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
        key, owner = self._key(message.id), uuid.uuid4().hex
        payload = hashlib.sha256(message.body).hexdigest()
        stored = self._redis.get(f"{key}:result")
        if stored is not None:
            record = json.loads(stored)
            if record["payload"] != payload:
                raise PayloadMismatch(message.id)
            return record["result"]
        found = self._redis.set(f"{key}:claim", owner, nx=True, get=True, px=self._lease_ms)
        if found is not None and found != owner.encode():
            raise InProgress(message.id)
        try:
            result = handler(message)
            record = json.dumps({"payload": payload, "result": result})
            self._redis.set(f"{key}:result", record, nx=True, px=self._retention_ms)
            return json.loads(self._redis.get(f"{key}:result"))["result"]
        finally:
            with contextlib.suppress(redis.RedisError):
                self._redis.eval(RELEASE, 1, f"{key}:claim", owner)

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
