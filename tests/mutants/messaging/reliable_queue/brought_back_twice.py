"""What is due is looked up by one command and brought back by others: two servers bring it back twice.

Trap: check-then-act
Rule: 12
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
        for key in (self.flight, self.later):
            for id in await self.redis.zrangebyscore(key, "-inf", time.time()):
                async with self.redis.pipeline(transaction=True) as pipe:
                    pipe.zrem(key, id)
                    pipe.rpush(self.ready, id)
                    await pipe.execute()

    async def take(self, visibility):
        script = """
        local id = redis.call('LPOP', KEYS[1])
        if not id then return nil end
        redis.call('ZADD', KEYS[2], ARGV[1], id)
        redis.call('HSET', KEYS[5], id, ARGV[2])
        return {id, redis.call('HGET', KEYS[3], id), redis.call('HINCRBY', KEYS[4], id, 1)}
        """
        receipt = uuid.uuid4().hex
        keys = self.ready, self.flight, self.bodies, self.receives, self.receipts
        found = await self.redis.eval(script, 5, *keys, time.time() + visibility, receipt)
        return found and Delivery(found[0].decode(), found[1], f"{found[0].decode()}:{receipt}", found[2])

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
