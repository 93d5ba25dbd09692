"""Optimistic transactions: WATCH the key, look, decide, write in MULTI, and look again if somebody was quicker.

Design: WATCH, MULTI and EXEC
Breaks: none
"""

import contextlib
import json
import uuid
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
        if not 0.001 <= lease <= retention <= 10 * 365 * 86_400:
            raise ValueError("0.001 <= lease <= retention <= ten years")
        self.client, self.namespace = client, namespace
        self.lease, self.retention = lease, retention

    def process(self, message, handler):
        key = json.dumps([self.namespace, message.id])
        mine = {"body": message.body.hex(), "owner": str(uuid.uuid4())}

        def claim(found, write):
            if found is None:
                write.set(key, json.dumps(mine), px=round(self.lease * 1000))
            return found or mine

        def release(found, write):
            if found == mine:
                write.delete(key)

        def store(found, write):
            if found in (None, mine):
                found = {"body": mine["body"], "result": result}
                write.set(key, json.dumps(found), px=round(self.retention * 1000))
            return found

        stands = self._transact(key, claim)
        if stands == mine:
            try:
                result = handler(message)
            except BaseException:
                with contextlib.suppress(redis.RedisError):
                    self._transact(key, release)
                raise
            stands = self._transact(key, store)
        if stands["body"] != mine["body"]:
            raise PayloadMismatch(message.id)
        if "owner" in stands:
            raise InProgress(message.id)
        return stands["result"]

    def _transact(self, key, step):
        while True:
            with self.client.pipeline() as pipe, contextlib.suppress(redis.WatchError):
                pipe.watch(key)
                raw = pipe.get(key)
                pipe.multi()
                stands = step(None if raw is None else json.loads(raw), pipe)
                pipe.execute()
                return stands


def register_process_order(app, consumer, charge):
    app.conf.task_acks_late = True
    app.conf.task_reject_on_worker_lost = True

    @app.task(name="process_order", bind=True, max_retries=None, default_retry_delay=consumer.lease)
    def process_order(self, order_id, customer, amount):
        order = Message(order_id, json.dumps({"customer": customer, "amount": amount}).encode())
        try:
            return consumer.process(order, lambda _: charge(order_id, amount, idempotency_key=f"order:{order_id}"))
        except (InProgress, redis.ConnectionError, redis.TimeoutError, ConnectionError, TimeoutError) as busy:
            self.retry(exc=busy)

    return process_order
