"""The id is cut to ten characters, for short keys.

Trap: key-collision
Rule: 11
Published: in tutorials that name orders uuid[:10]
"""

import contextlib
import hashlib
import json
import uuid
from dataclasses import dataclass
from urllib.parse import quote

import redis

STORE = """
local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[1] then return found end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return ARGV[2]
"""

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
        key = self._key(message.id)
        owner = uuid.uuid4().hex
        payload = hashlib.sha256(message.body).hexdigest()
        claim = json.dumps({"payload": payload, "owner": owner})
        found = self._redis.set(key, claim, nx=True, get=True, px=self._lease_ms)
        if found is not None and json.loads(found).get("owner") != owner:
            return answer(found, message, payload)
        try:
            result = handler(message)
        except BaseException:
            with contextlib.suppress(redis.RedisError):
                self._redis.eval(RELEASE, 1, key, claim)
            raise
        record = json.dumps({"payload": payload, "result": result})
        stands = self._redis.eval(STORE, 1, key, claim, record, self._retention_ms)
        return answer(stands, message, payload)

    def _key(self, message_id):
        return f"processed:{quote(self._namespace, safe='')}:{message_id[:10]}"


def answer(stored, message, payload):
    record = json.loads(stored)
    if record["payload"] != payload:
        raise PayloadMismatch(f"message {message.id!r} came before with another body")
    if "owner" in record:
        raise InProgress(f"message {message.id!r} is being processed")
    return record["result"]


def register_process_order(app, consumer, charge):
    def process_order(self, order_id, customer, amount):
        message = Message(order_id, json.dumps([customer, amount]).encode())
        try:
            return consumer.process(message, lambda m: charge(m.id, amount, idempotency_key=m.id))
        except (InProgress, redis.ConnectionError, redis.TimeoutError, OSError) as error:
            raise self.retry(exc=error, countdown=min(2**self.request.retries, consumer.lease)) from error

    options = {"acks_late": True, "reject_on_worker_lost": True, "max_retries": None}
    return app.task(bind=True, name="process_order", **options)(process_order)
