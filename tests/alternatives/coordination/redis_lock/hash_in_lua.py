"""A hash of owner and instant of the end by Redis' own clock; one script makes every transition.

Design: one Lua script over a hash, with TIME; the TTL only sweeps up
Breaks: none
"""

import asyncio
import math
import os
import random

import redis

SCRIPT = """
local verb, token, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local owner, until_ms = unpack(redis.call('HMGET', KEYS[1], 'owner', 'until'))
local held = owner and now < tonumber(until_ms)
local mine = held and owner == token
if verb == 'acquire' and held and not mine then return 0 end
if verb ~= 'acquire' and not mine then return 0 end
if verb == 'release' then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'owner', token, 'until', string.format('%.0f', now + ttl))
  redis.call('PEXPIRE', KEYS[1], ttl)
end
return 1
"""


class LockTimeout(Exception):
    pass


class LockLost(Exception):
    pass


def milliseconds(value):
    if not 0.001 <= value <= 315_360_000:
        raise ValueError(f"from 0.001 s to ten years, not {value}")
    return round(value * 1000)


class Lease:
    def __init__(self, lock, token):
        self._ask = lambda verb, ttl=0: lock._ask(verb, token, ttl)
        self._ttl = lock._ttl
        self._state = "held"

    async def extend(self, ttl=None):
        wanted = self._ttl if ttl is None else milliseconds(ttl)
        if self._state == "released" or await self._ask("extend", wanted) == 0:
            raise LockLost

    async def release(self):
        if self._state == "held":
            if await self._ask("release") == 0:
                raise LockLost
            self._state = "released"


class Held(Lease):
    def __init__(self, lock, timeout):
        self._lock, self._timeout = lock, timeout

    async def __aenter__(self):
        lease = await self._lock.acquire(self._timeout)
        self.__dict__.update(lease.__dict__)
        return self

    async def __aexit__(self, kind, error, traceback):
        ended = (await asyncio.gather(self.release(), return_exceptions=True))[0]
        if ended is not None and error is None:
            raise ended


class RedisLock:
    def __init__(self, client: redis.asyncio.Redis, name: str, *, ttl: float, poll: float = 0.1):
        milliseconds(poll)
        self._client, self._name = client, name
        self._ttl, self._poll = milliseconds(ttl), poll

    async def _ask(self, verb, token, ttl):
        return await self._client.eval(SCRIPT, 1, f"lock:{len(self._name)}:{self._name}", verb, token, ttl)

    async def acquire(self, timeout=None):
        limit = math.inf if timeout is None else timeout
        if not limit >= 0 or timeout == math.inf:
            raise ValueError(timeout)
        token, waited = os.urandom(12).hex(), 0.0
        while await self._ask("acquire", token, self._ttl) == 0:
            if waited >= limit:
                raise LockTimeout
            pause = min(limit - waited, self._poll * (1 - random.random() / 2))
            await asyncio.sleep(pause)
            waited += pause
        return Lease(self, token)

    def hold(self, timeout=None):
        return Held(self, timeout)
