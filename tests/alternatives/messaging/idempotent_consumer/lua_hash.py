"""The message is a hash with fields for body, owner and result; one Lua script makes every transition.

Design: one Lua script over a hash
Breaks: none
"""

import contextlib
import json
import secrets
from dataclasses import dataclass

import redis

TRANSITION = """
local key, verb, owner, body = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local known = redis.call('HMGET', key, 'body', 'owner', 'result')
if verb == 'release' then
  if known[2] == owner then redis.call('DEL', key) end
  return {'released'}
end
if known[1] and known[1] ~= body then return {'mismatch'} end
if known[3] then return {'stored', known[3]} end
if known[2] and known[2] ~= owner then return {'busy'} end
redis.call('HSET', key, 'body', body, 'owner', owner)
redis.call('PEXPIRE', key, ARGV[4])
if verb == 'claim' then return {'claimed'} end
redis.call('HSET', key, 'result', ARGV[5])
redis.call('HDEL', key, 'owner')
return {'stored', ARGV[5]}
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
        if not (lease >= 0.001 and retention >= lease and retention <= 315_360_000):
            raise ValueError("0.001 <= lease <= retention <= ten years")
        self.client = client
        self.prefix = f"{len(namespace)}:{namespace}:"
        self.lease, self.retention = lease, retention

    def process(self, message, handler):
        owner = secrets.token_hex(8)
        told = self._change(message, owner, "claim", self.lease)
        if told[0] == "claimed":
            try:
                result = json.dumps(handler(message))
            except BaseException:
                with contextlib.suppress(redis.RedisError):
                    self._change(message, owner, "release")
                raise
            told = self._change(message, owner, "store", self.retention, result)
        if told[0] == "mismatch":
            raise PayloadMismatch(message.id)
        if told[0] == "busy":
            raise InProgress(message.id)
        return json.loads(told[1])

    def _change(self, message, owner, verb, seconds=0.0, result=""):
        arguments = (verb, owner, message.body, round(seconds * 1000), result)
        reply = self.client.eval(TRANSITION, 1, self.prefix + message.id, *arguments)
        return [part if isinstance(part, str) else part.decode() for part in reply]


def register_process_order(app, consumer, charge):
    @app.task(
        name="process_order",
        acks_late=True,
        reject_on_worker_lost=True,
        max_retries=None,
        autoretry_for=(InProgress, redis.ConnectionError, redis.TimeoutError, ConnectionError, TimeoutError),
        retry_backoff=1,
        retry_backoff_max=consumer.lease,
    )
    def process_order(order_id, customer, amount):
        body = f"{amount} {customer}".encode()
        return consumer.process(Message(order_id, body), lambda m: charge(order_id, amount, idempotency_key=order_id))

    return process_order
