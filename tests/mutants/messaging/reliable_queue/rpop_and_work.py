"""RPUSH, LPOP, work: what its receiver does not finish is gone.

Trap: popped-is-gone
Rule: 2
Published: in cheat-sheets of Redis lists
"""

import time
import uuid
from dataclasses import dataclass

TEN_YEARS = 315_360_000


@dataclass(frozen=True)
class Delivery:
    id: str
    body: bytes
    receipt: str
    receives: int


class ReliableQueue:
    def __init__(self, redis, name, *, visibility=30.0):
        check("visibility", visibility, 0.001)
        self.redis = redis
        self.visibility = visibility
        parts = "ready", "flight", "later", "bodies", "receives", "receipts"
        self.ready, self.flight, self.later, self.bodies, self.receives, self.receipts = (
            f"{part}:{name}" for part in parts
        )

    async def send(self, body, *, delay=0.0):
        check("delay", delay, 0)
        if not isinstance(body, bytes):
            raise TypeError("a body is bytes")
        id = uuid.uuid4().hex
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(self.bodies, id, body)
            if delay:
                pipe.zadd(self.later, {id: time.time() + delay})
            else:
                pipe.rpush(self.ready, id)
            await pipe.execute()
        return id

    async def receive(self, visibility=None):
        visibility = self.visibility if visibility is None else visibility
        check("visibility", visibility, 0.001)
        await self.bring_back()
        return await self.take(visibility)

    async def bring_back(self):
        due = """
        for _, key in ipairs({KEYS[1], KEYS[2]}) do
          for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', ARGV[1])) do
            redis.call('ZREM', key, id)
            redis.call('RPUSH', KEYS[3], id)
          end
        end
        """
        await self.redis.eval(due, 3, self.flight, self.later, self.ready, time.time())

    async def take(self, visibility):
        id = await self.redis.lpop(self.ready)
        if id is None:
            return None
        body = await self.redis.hget(self.bodies, id)
        return Delivery(id.decode(), body, id.decode(), 1)

    async def settle(self, receipt, then, *arguments):
        script = f"""
        if redis.call('HGET', KEYS[6], ARGV[1]) ~= ARGV[2] then return 0 end
        redis.call('ZREM', KEYS[2], ARGV[1])
        redis.call('LREM', KEYS[1], 0, ARGV[1])
        {then}
        return 1
        """
        id, _, mine = receipt.partition(":")
        keys = self.ready, self.flight, self.later, self.bodies, self.receives, self.receipts
        return bool(await self.redis.eval(script, 6, *keys, id, mine, *arguments))

    async def ack(self, receipt):
        return await self.settle(receipt, "for i = 4, 6 do redis.call('HDEL', KEYS[i], ARGV[1]) end")

    async def nack(self, receipt, *, delay=0.0):
        check("delay", delay, 0)
        then = "redis.call('HDEL', KEYS[6], ARGV[1]) redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])"
        return await self.settle(receipt, then, time.time() + delay)

    async def extend(self, receipt, visibility=None):
        visibility = self.visibility if visibility is None else visibility
        check("visibility", visibility, 0.001)
        return await self.settle(receipt, "redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])", time.time() + visibility)


def check(what, seconds, least):
    if not least <= seconds <= TEN_YEARS:
        raise ValueError(f"{what} is from {least} to {TEN_YEARS} seconds")
