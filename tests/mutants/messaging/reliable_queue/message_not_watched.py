"""WATCH looks at the line of the visible only, so a heartbeat extends what has just been acknowledged.

Trap: receipt-checked-first
Rule: 13
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import WatchError


def _check(v, least):
    if not (least <= v <= 315_360_000):
        raise ValueError(v)
    return v


@dataclass(frozen=True, slots=True)
class Delivery:
    id: str
    body: bytes
    receipt: str
    receives: int


class ReliableQueue:
    def __init__(self, redis: Redis, name: str, *, visibility: float = 30.0) -> None:
        self._r, self._vis = redis, _check(visibility, 0.001)
        n = name.encode()
        self._line, self._later, self._seq, self._msg = b"L:" + n, b"P:" + n, b"S:" + n, b"M:" + n + b":"

    async def send(self, body: bytes, *, delay: float = 0.0) -> str:
        if not isinstance(body, bytes):
            raise TypeError(type(body))
        _check(delay, 0)
        id = secrets.token_hex(16)
        number = await self._r.incr(self._seq)
        async with self._r.pipeline(transaction=True) as p:
            p.hset(self._msg + id.encode(), mapping={"body": body, "n": 0, "receipt": "-"})
            if delay:
                p.zadd(self._later, {id: time.time() + delay})
            else:
                p.zadd(self._line, {id: number})
            await p.execute()
        return id

    async def receive(self, visibility: float | None = None) -> Delivery | None:
        visibility = _check(self._vis if visibility is None else visibility, 0.001)
        while True:
            async with self._r.pipeline(transaction=True) as p:
                await p.watch(self._line, self._later)
                now = time.time()
                due = await p.zrangebyscore(self._later, "-inf", now)
                line = await p.zrange(self._line, 0, 0)
                number = await p.incrby(self._seq, len(due)) - len(due) if due else 0
                if not line and not due:
                    return None
                id = (line or due)[0]
                key = self._msg + id
                await p.watch(key)
                body, n = await p.hmget(key, "body", "n")
                receipt = id.decode() + "." + secrets.token_hex(16)
                p.multi()
                for each in due:
                    number += 1
                    p.zrem(self._later, each)
                    p.zadd(self._line, {each: number})
                p.zrem(self._line, id)
                p.zadd(self._later, {id: time.time() + visibility})
                p.hset(key, mapping={"receipt": receipt, "n": int(n or 0) + 1})
                try:
                    await p.execute()
                except WatchError as error:
                    if error.__context__ is not None:
                        raise error.__context__ from None
                    continue
                return Delivery(id.decode(), body, receipt, int(n) + 1)

    async def ack(self, receipt: str) -> bool:
        return await self._settle(receipt, "ack", 0)

    async def nack(self, receipt: str, *, delay: float = 0.0) -> bool:
        return await self._settle(receipt, "nack", _check(delay, 0))

    async def extend(self, receipt: str, visibility: float | None = None) -> bool:
        visibility = _check(self._vis if visibility is None else visibility, 0.001)
        return await self._settle(receipt, "extend", visibility)

    async def _settle(self, receipt: str, what: str, delay: float) -> bool:
        try:
            raw = receipt.encode()
        except UnicodeEncodeError:
            return False
        id = raw.partition(b".")[0]
        key = self._msg + id
        while True:
            async with self._r.pipeline(transaction=True) as p:
                await p.watch(self._line)
                if raw == b"-" or await p.hget(key, "receipt") != raw:
                    return False
                visible = await p.zscore(self._line, id) is not None
                number = await p.incr(self._seq) if what == "nack" else 0
                p.multi()
                if what == "ack":
                    p.zrem(self._line, id)
                    p.zrem(self._later, id)
                    p.delete(key)
                elif delay:
                    p.zrem(self._line, id)
                    p.zadd(self._later, {id: time.time() + delay})
                elif not visible:
                    p.zrem(self._later, id)
                    p.zadd(self._line, {id: number})
                if what == "nack":
                    p.hset(key, "receipt", "-")
                try:
                    await p.execute()
                except WatchError as error:
                    if error.__context__ is not None:
                        raise error.__context__ from None
                    continue
                return True
