"""redis-py's own Lock is the claim; the result has a key of its own, set once and never again (SET NX).

The first to finish wins, so nothing needs to be compared when a result is stored: a late worker's result counts if
it comes before its successor's.

Design: redis-py Lock and a write-once result
Breaks: none
"""

import base64
import contextlib
import hashlib
import json
import uuid
from dataclasses import dataclass

import celery
import redis
from redis.lock import Lock


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
        for seconds in (lease, retention):
            if not 0.001 <= seconds <= 315_360_000:
                raise ValueError(f"{seconds!r} is no duration")
        if retention < lease:
            raise ValueError("a result must not go before its claim")
        self.client, self.namespace = client, namespace
        self.lease, self.retention_ms = lease, round(retention * 1000)

    def process(self, message, handler):
        pair = (base64.urlsafe_b64encode(part.encode()).decode() for part in (self.namespace, message.id))
        name = "/".join(pair)
        body = hashlib.blake2b(message.body).hexdigest()
        done = self._stored(name, body)
        if done is not None:
            return done["result"]
        with self._claimed(name, body):
            # Somebody may have finished between the look above and the claim.
            done = self._stored(name, body)
            if done is None:
                mine = json.dumps({"body": body, "result": handler(message)})
                first = self.client.set(f"{name}/result", mine, nx=True, get=True, px=self.retention_ms)
                done = json.loads(first or mine)
        if done["body"] != body:
            raise PayloadMismatch(message.id)
        return done["result"]

    def _stored(self, name, body):
        raw = self.client.get(f"{name}/result")
        if raw is None:
            return None
        done = json.loads(raw)
        if done["body"] != body:
            raise PayloadMismatch(name)
        return done

    @contextlib.contextmanager
    def _claimed(self, name, body):
        token = f"{body}:{uuid.uuid4()}"
        lock = Lock(self.client, f"{name}/claim", timeout=self.lease, blocking=False, thread_local=False)
        if not lock.acquire(token=token):
            holder = self.client.get(lock.name) or b""
            holder = holder if isinstance(holder, str) else holder.decode()
            if holder and not holder.startswith(body):
                raise PayloadMismatch(name)
            if holder != token:  # else it is ours: the client repeated a command whose reply was lost
                raise InProgress(name)
            lock.local.token = lock.redis.connection_pool.get_encoder().encode(token)
        try:
            yield
        finally:
            with contextlib.suppress(redis.RedisError):
                lock.release()


def register_process_order(app, consumer, charge):
    class ProcessOrder(celery.Task):
        name = "process_order"
        acks_late = True
        reject_on_worker_lost = True
        max_retries = None

        def run(self, order_id, customer, amount):
            order = Message(order_id, f"{customer}\n{amount}".encode())
            try:
                return consumer.process(order, lambda _: charge(order_id, amount, idempotency_key=order_id))
            except (InProgress, redis.ConnectionError, redis.TimeoutError, ConnectionError, TimeoutError) as error:
                return self.retry(exc=error, countdown=5)

    return app.register_task(ProcessOrder())
