"""The receipt is id and time: two deliveries in one instant share it.

Trap: stale-receipt
Rule: 9
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

LONGEST = 315_360_000.0
SHORTEST = 0.001
ID_LENGTH = 32

# Every script gets the same five keys:
#   waiting   zset  id -> place in the line (visible messages, as far as they were noticed)
#   pending   zset  id -> microsecond at which it becomes visible (delayed, or in flight)
#   bodies    hash  id -> body
#   receipts  hash  id -> the receipt that stands
#   counts    hash  id -> how often received
_PRELUDE = """
local waiting, pending, bodies, receipts, counts = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local function number(n) return string.format('%.0f', n) end
local function stand_in_line(id)
  local last = redis.call('ZREVRANGE', waiting, 0, 0, 'WITHSCORES')
  local place = 1
  if last[2] then place = tonumber(last[2]) + 1 end
  redis.call('ZADD', waiting, number(place), id)
end
local function later(id, delay)
  redis.call('ZREM', waiting, id)
  redis.call('ZADD', pending, number(now + tonumber(delay)), id)
end
"""

_SEND = (
    _PRELUDE
    + """
redis.call('HSET', bodies, ARGV[1], ARGV[2])
if ARGV[3] == '0' then stand_in_line(ARGV[1]) else later(ARGV[1], ARGV[3]) end
return 1
"""
)

_RECEIVE = (
    _PRELUDE
    + """
for _, id in ipairs(redis.call('ZRANGEBYSCORE', pending, '-inf', number(now))) do
  redis.call('ZREM', pending, id)
  stand_in_line(id)
end
local id = redis.call('ZRANGE', waiting, 0, 0)[1]
if not id then return false end
later(id, ARGV[2])
redis.call('HSET', receipts, id, id .. ARGV[1])
return {id, redis.call('HGET', bodies, id), redis.call('HINCRBY', counts, id, 1)}
"""
)

_SETTLE = (
    _PRELUDE
    + """
local id, receipt = ARGV[1], ARGV[2]
if redis.call('HGET', receipts, id) ~= receipt then return 0 end
"""
)

_ACK = (
    _SETTLE
    + """
redis.call('ZREM', waiting, id)
redis.call('ZREM', pending, id)
redis.call('HDEL', bodies, id)
redis.call('HDEL', receipts, id)
redis.call('HDEL', counts, id)
return 1
"""
)

_NACK = (
    _SETTLE
    + """
redis.call('HDEL', receipts, id)
if ARGV[3] ~= '0' then
  later(id, ARGV[3])
elseif not redis.call('ZSCORE', waiting, id) then  -- one that is in line already keeps its place
  redis.call('ZREM', pending, id)
  stand_in_line(id)
end
return 1
"""
)

_EXTEND = (
    _SETTLE
    + """
later(id, ARGV[3])
return 1
"""
)


def _micros(seconds: float, least: float) -> int:
    if not least <= seconds <= LONGEST:  # nan neither
        raise ValueError(f"a duration must be from {least} to {LONGEST} seconds, not {seconds!r}")
    return math.ceil(seconds * 1_000_000)


@dataclass(frozen=True, slots=True)
class Delivery:
    id: str
    body: bytes
    receipt: str
    receives: int


class ReliableQueue:
    def __init__(self, redis: Redis, name: str, *, visibility: float = 30.0) -> None:
        _micros(visibility, SHORTEST)
        self._visibility = visibility
        self._keys = [
            f"reliable_queue:{part}:{name}".encode() for part in ("waiting", "pending", "bodies", "receipts", "counts")
        ]
        self._send = redis.register_script(_SEND)
        self._receive = redis.register_script(_RECEIVE)
        self._ack = redis.register_script(_ACK)
        self._nack = redis.register_script(_NACK)
        self._extend = redis.register_script(_EXTEND)

    async def send(self, body: bytes, *, delay: float = 0.0) -> str:
        if not isinstance(body, bytes):
            raise TypeError(f"a body must be bytes, not {type(body).__name__}")
        wait = _micros(delay, 0)
        id = uuid.uuid4().hex
        await self._send(keys=self._keys, args=[id, body, wait])
        return id

    async def receive(self, visibility: float | None = None) -> Delivery | None:
        hidden = self._hidden_for(visibility)
        import time

        token = f"{time.time_ns()}"
        found = await self._receive(keys=self._keys, args=[token, hidden])
        if found is None:
            return None
        id = found[0].decode()
        return Delivery(id=id, body=found[1], receipt=id + token, receives=int(found[2]))

    async def ack(self, receipt: str) -> bool:
        return await self._settle(self._ack, receipt)

    async def nack(self, receipt: str, *, delay: float = 0.0) -> bool:
        wait = _micros(delay, 0)
        return await self._settle(self._nack, receipt, wait)

    async def extend(self, receipt: str, visibility: float | None = None) -> bool:
        hidden = self._hidden_for(visibility)
        return await self._settle(self._extend, receipt, hidden)

    def _hidden_for(self, visibility: float | None) -> int:
        return _micros(self._visibility if visibility is None else visibility, SHORTEST)

    async def _settle(self, script: AsyncScript, receipt: str, *args: int) -> bool:
        if not receipt.isascii():  # none of ours, and perhaps nothing that can be encoded
            return False
        return bool(await script(keys=self._keys, args=[receipt[:ID_LENGTH], receipt, *args]))
