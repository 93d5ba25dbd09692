"""No clock and no script: a message is invisible while there is a key for it, and Redis lets that key expire.

`receive` walks along the messages and tries SET NX on each one's lease; who gets it confirms that in a transaction.

Design: SET NX PX for each message, a ZSET of turns, WATCH
Breaks: none
"""

import contextlib
import uuid
from dataclasses import dataclass

import redis


@dataclass
class Delivery:
    id: str
    body: bytes
    receipt: str
    receives: int


class ReliableQueue:
    def __init__(self, client, name, *, visibility=30.0):
        self.client = client
        self.visibility = milliseconds(visibility, at_least=0.001)
        self.turns, self.turn = f"turns of {name}", f"last turn of {name}"
        self.prefix = f"{len(name)} {name} "  # no other name and id give the same text

    async def send(self, body, *, delay=0.0):
        delay = milliseconds(delay, at_least=0)
        if not isinstance(body, bytes):
            raise TypeError("a body is bytes")
        id = uuid.uuid4().hex
        turn = await self.client.incr(self.turn)
        async with self.client.pipeline(transaction=True) as pipe:
            pipe.hset(self.message(id), mapping={"body": body, "receives": 0})
            pipe.zadd(self.turns, {id: turn})
            if delay:
                pipe.set(self.lease(id), "delayed", px=delay)
            await pipe.execute()
        return id

    async def receive(self, visibility=None):
        timeout = self.visibility if visibility is None else milliseconds(visibility, at_least=0.001)
        receipt = uuid.uuid4().hex
        while True:
            conflict = False
            for id in [found.decode() for found in await self.client.zrange(self.turns, 0, -1)]:
                if await self.client.set(self.lease(id), receipt, nx=True, px=timeout):
                    delivery = await self.confirm(id, receipt)
                    if delivery is not None:
                        return delivery
                    conflict = True
            if not conflict:
                return None

    async def confirm(self, id, receipt):
        turn = await self.client.incr(self.turn)
        async with watching(self.client, self.message(id), self.lease(id)) as pipe:
            mine = await pipe.get(self.lease(id)) == receipt.encode()
            body = await pipe.hget(self.message(id), "body")
            pipe.multi()
            if mine and body is None:
                pipe.delete(self.lease(id))  # acknowledged meanwhile
            elif mine:
                pipe.hset(self.message(id), "receipt", receipt)
                pipe.hincrby(self.message(id), "receives", 1)
                pipe.zadd(self.turns, {id: turn})
            results = await pipe.execute()
            if mine and body is not None:
                return Delivery(id, body, f"{id} {receipt}", results[1])
        return None

    async def ack(self, receipt):
        def then(pipe, id):
            pipe.delete(self.message(id), self.lease(id))
            pipe.zrem(self.turns, id)

        return await self.settle(receipt, then)

    async def nack(self, receipt, *, delay=0.0):
        delay = milliseconds(delay, at_least=0)

        def then(pipe, id):
            pipe.hdel(self.message(id), "receipt")
            if delay:
                pipe.set(self.lease(id), "given back", px=delay)
            else:
                pipe.delete(self.lease(id))

        return await self.settle(receipt, then)

    async def extend(self, receipt, visibility=None):
        timeout = self.visibility if visibility is None else milliseconds(visibility, at_least=0.001)
        return await self.settle(receipt, lambda pipe, id: pipe.set(self.lease(id), "extended", px=timeout))

    async def settle(self, receipt, then):
        id, _, mine = receipt.partition(" ")
        while True:
            async with watching(self.client, self.message(id)) as pipe:
                stands = await pipe.hget(self.message(id), "receipt") == mine.encode()
                pipe.multi()
                if stands:
                    then(pipe, id)
                await pipe.execute()
                return stands

    def message(self, id):
        return f"message {self.prefix}{id}"

    def lease(self, id):
        return f"lease {self.prefix}{id}"


@contextlib.asynccontextmanager
async def watching(client, *keys):
    """A pipeline that watches keys. A conflict ends the block, quietly."""
    async with client.pipeline() as pipe:
        await pipe.watch(*keys)
        try:
            yield pipe
        except redis.WatchError as conflict:
            # What redis-py reports as a conflict may be a connection that broke, and then nobody knows.
            if isinstance(conflict.__context__, redis.ConnectionError | redis.TimeoutError):
                raise conflict.__context__ from None


def milliseconds(seconds, *, at_least):
    if not at_least <= seconds <= 315_360_000:
        raise ValueError(f"from {at_least} s to ten years")
    return round(seconds * 1000)
