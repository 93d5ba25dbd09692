"""A queue in Redis that loses nothing: what is received comes again, unless it is acknowledged in time.

Sources: Amazon SQS developer guide, "Visibility timeout" and "Delay queues" (the semantics); Redis documentation,
LMOVE, "Pattern: Reliable queue", and "Scripting with Lua"; kombu issue 337 (long delays meet short timeouts).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

_MICROSECONDS = 1_000_000
_TEN_YEARS = 315_360_000  # seconds

# One sorted set holds all messages, each with the instant from which it may be received, in microseconds. Waiting,
# delayed and in flight are then no three places between which a message could get lost, but three numbers, and
# receiving is one ZADD. A script is one atomic step, and its clock is Redis' own, the same for all servers.
_CLOCK = """
local schedule, bodies, receives, receipts, sequence = unpack(KEYS)
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
"""

# Members with one score stand in the order of their text, so padded numbers keep the order of one instant.
_SEND = """
local id = string.format('%016d', redis.call('INCR', sequence))
redis.call('HSET', bodies, id, ARGV[1])
redis.call('ZADD', schedule, now + ARGV[2], id)
return id
"""

_RECEIVE = """
local id = redis.call('ZRANGEBYSCORE', schedule, '-inf', now, 'LIMIT', 0, 1)[1]
if not id then return nil end
redis.call('ZADD', schedule, now + ARGV[2], id)
redis.call('HSET', receipts, id, ARGV[1])
return {id, redis.call('HGET', bodies, id), redis.call('HINCRBY', receives, id, 1)}
"""

# The other three act for whoever received the message last, and for nobody else. The deadline does not matter: if it
# is over and nobody has come, the work that was done still counts.
_IF_IT_STANDS = """
if redis.call('HGET', receipts, ARGV[1]) ~= ARGV[2] then return 0 end
"""

_ACK = """
redis.call('ZREM', schedule, ARGV[1])
redis.call('HDEL', bodies, ARGV[1])
redis.call('HDEL', receives, ARGV[1])
redis.call('HDEL', receipts, ARGV[1])
return 1
"""

_NACK = """
redis.call('HDEL', receipts, ARGV[1])
redis.call('ZADD', schedule, now + ARGV[3], ARGV[1])
return 1
"""

_EXTEND = """
redis.call('ZADD', schedule, now + ARGV[3], ARGV[1])
return 1
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message, and the right of one receiver to settle it."""

    id: str
    """The message's, as `send` returned it; the same each time that it is received."""
    body: bytes
    """As it was sent, byte by byte."""
    receipt: str
    """Of this delivery alone; for `ack`, `nack` and `extend`."""
    receives: int
    """How often the message has been received, this time included: 1 the first time."""


class ReliableQueue:
    """A queue that any number of servers share: those with the same `name` on the same Redis.

    A received message is *invisible*: nobody else receives it until its visibility timeout is over. Then, unless it
    was acknowledged, it is *visible* again, because its receiver has probably died. So a message is delivered at
    least once, and handlers must bear duplicates.
    """

    def __init__(self, redis: Redis, name: str, *, visibility: float = 30.0) -> None:
        """No step to Redis is made here.

        Args:
            redis: an asyncio client with its default `decode_responses=False`, which does not retry by itself.
            name: any text that UTF-8 can encode; all of it counts.
            visibility: seconds, 0.001 to 315 360 000 (ten years): the default of `receive` and `extend`.

        Raises:
            ValueError: `visibility` is out of range.
        """
        self._visibility = _checked("visibility", visibility, 0.001)
        # The name comes last, so no name can end as another queue's key does.
        self._keys = [f"queue-{part}:{name}" for part in ("schedule", "bodies", "receives", "receipts", "sequence")]
        self._send = redis.register_script(_CLOCK + _SEND)
        self._receive = redis.register_script(_CLOCK + _RECEIVE)
        self._ack = redis.register_script(_CLOCK + _IF_IT_STANDS + _ACK)
        self._nack = redis.register_script(_CLOCK + _IF_IT_STANDS + _NACK)
        self._extend = redis.register_script(_CLOCK + _IF_IT_STANDS + _EXTEND)

    async def send(self, body: bytes, *, delay: float = 0.0) -> str:
        """Append a message, which nobody receives for `delay` seconds; returns its id.

        Once this has returned, the message is there. If it raises a connection error, nobody knows.

        Raises:
            TypeError: `body` is not bytes.
            ValueError: `delay` is not from 0 to 315 360 000 (ten years).
        """
        if not isinstance(body, bytes):
            raise TypeError(f"a body is bytes, not {type(body).__name__}; encode it first")
        id: bytes = await self._send(self._keys, [body, _checked("delay", delay, 0)])
        return id.decode()

    async def receive(self, visibility: float | None = None) -> Delivery | None:
        """The next visible message, now invisible for `visibility` seconds; None, at once, if there is none.

        Raises:
            ValueError: `visibility` is not from 0.001 to 315 360 000 (ten years).
        """
        timeout = self._visibility if visibility is None else _checked("visibility", visibility, 0.001)
        token = uuid.uuid4().hex  # of this delivery: a worker that meets a message again is another receiver
        found: Any = await self._receive(self._keys, [token, timeout])
        if found is None:
            return None
        id, body, receives = found
        return Delivery(id.decode(), body, f"{id.decode()}:{token}", receives)

    async def ack(self, receipt: str) -> bool:
        """The work is done: remove the message. False, and nothing happens, if the receipt is stale."""
        return await self._settle(self._ack, receipt)

    async def nack(self, receipt: str, *, delay: float = 0.0) -> bool:
        """The work failed: make the message visible again in `delay` seconds, and the receipt stale.

        False, and nothing happens, if the receipt is stale already.

        Raises:
            ValueError: `delay` is not from 0 to 315 360 000 (ten years).
        """
        return await self._settle(self._nack, receipt, _checked("delay", delay, 0))

    async def extend(self, receipt: str, visibility: float | None = None) -> bool:
        """The work takes longer: the message is invisible for `visibility` seconds from now, not from its deadline.

        False, and nothing happens, if the receipt is stale: stop working, somebody else may have begun.

        Raises:
            ValueError: `visibility` is not from 0.001 to 315 360 000 (ten years).
        """
        timeout = self._visibility if visibility is None else _checked("visibility", visibility, 0.001)
        return await self._settle(self._extend, receipt, timeout)

    async def _settle(self, script: Any, receipt: str, *arguments: int) -> bool:
        id, _, token = receipt.partition(":")
        return bool(await script(self._keys, [id, token, *arguments]))


def _checked(what: str, seconds: float, least: float) -> int:
    """Seconds in microseconds."""
    if not least <= seconds <= _TEN_YEARS:  # so written, it refuses nan too
        raise ValueError(f"{what} must be from {least} to {_TEN_YEARS} seconds, not {seconds!r}")
    return round(seconds * _MICROSECONDS)
