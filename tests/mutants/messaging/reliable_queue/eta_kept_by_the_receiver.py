"""A delayed message is received at once and kept by its receiver until it is due, while its visibility timeout runs.

Trap: delay-as-visibility
Rule: 7
Published: kombu, issue 337
"""

import asyncio
import time
import uuid
from dataclasses import dataclass

MICROSECONDS = 1_000_000
TEN_YEARS = 315_360_000

CLOCK = """
local schedule, bodies, receives, receipts, sequence = unpack(KEYS)
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
"""

SEND = """
local id = string.format('%016d', redis.call('INCR', sequence))
redis.call('HSET', bodies, id, ARGV[1])
redis.call('ZADD', schedule, now + ARGV[2], id)
return id
"""

RECEIVE = """
local id = redis.call('ZRANGEBYSCORE', schedule, '-inf', now, 'LIMIT', 0, 1)[1]
if not id then return nil end
redis.call('ZADD', schedule, now + ARGV[2], id)
redis.call('HSET', receipts, id, ARGV[1])
return {id, redis.call('HGET', bodies, id), redis.call('HINCRBY', receives, id, 1)}
"""

STANDS = """
if redis.call('HGET', receipts, ARGV[1]) ~= ARGV[2] then return 0 end
"""

ACK = """
redis.call('ZREM', schedule, ARGV[1])
redis.call('HDEL', bodies, ARGV[1])
redis.call('HDEL', receives, ARGV[1])
redis.call('HDEL', receipts, ARGV[1])
return 1
"""

NACK = """
redis.call('HDEL', receipts, ARGV[1])
redis.call('ZADD', schedule, now + ARGV[3], ARGV[1])
return 1
"""

EXTEND = """
redis.call('ZADD', schedule, now + ARGV[3], ARGV[1])
return 1
"""


@dataclass(frozen=True)
class Delivery:
    id: str
    body: bytes
    receipt: str
    receives: int


class ReliableQueue:
    def __init__(self, redis, name, *, visibility=30.0):
        self.default = checked("visibility", visibility, 0.001)
        self.redis = redis
        self.name = name
        parts = "schedule", "bodies", "receives", "receipts", "sequence"
        self.keys = [f"{part}:{name}" for part in parts]
        self.send_script = self.script(CLOCK + SEND)
        self.receive_script = self.script(CLOCK + RECEIVE)
        self.ack_script = self.script(CLOCK + STANDS + ACK)
        self.nack_script = self.script(CLOCK + STANDS + NACK)
        self.extend_script = self.script(CLOCK + STANDS + EXTEND)

    def script(self, text):
        return lambda keys, arguments: self.redis.eval(text, len(keys), *keys, *arguments)

    async def send(self, body, *, delay=0.0):
        if not isinstance(body, bytes):
            raise TypeError("a body is bytes")
        checked("delay", delay, 0)
        id = await self.send_script(self.keys, [b"%f|%b" % (time.time() + delay, body), 0])
        return id.decode()

    async def receive(self, visibility=None):
        timeout = self.default if visibility is None else checked("visibility", visibility, 0.001)
        token = uuid.uuid4().hex
        found = await self.receive_script(self.keys, [token, timeout])
        if found is None:
            return None
        id, body, receives = found
        due, _, body = body.partition(b"|")
        if receives == 1:
            await asyncio.sleep(max(0.0, float(due) - time.time()))
        return Delivery(id.decode(), body, f"{id.decode()}:{token}", receives)

    async def ack(self, receipt):
        return await self.settle(self.ack_script, receipt)

    async def nack(self, receipt, *, delay=0.0):
        return await self.settle(self.nack_script, receipt, checked("delay", delay, 0))

    async def extend(self, receipt, visibility=None):
        timeout = self.default if visibility is None else checked("visibility", visibility, 0.001)
        return await self.settle(self.extend_script, receipt, timeout)

    async def settle(self, script, receipt, *arguments):
        id, _, token = receipt.partition(":")
        return bool(await script(self.keys, [id, token, *arguments]))


def checked(what, seconds, least):
    if not least <= seconds <= TEN_YEARS:
        raise ValueError(f"{what} is from {least} to {TEN_YEARS} seconds")
    return round(seconds * MICROSECONDS)
