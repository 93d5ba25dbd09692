"""The token comes from `random`, which anybody in the program may have seeded, and copies of a machine share.

Trap: weak-token
Rule: 4
"""

import asyncio
import contextlib
import math
import random

import redis

TEN_YEARS = 315_360_000
RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
EXTEND = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


class LockTimeout(Exception):
    pass


class LockLost(Exception):
    pass


class Lease:
    def __init__(self, client, key, token, ttl):
        self._client = client
        self._key = key
        self._token = token
        self._ttl = ttl
        self._released = False

    async def extend(self, ttl=None):
        ttl = self._ttl if ttl is None else checked("ttl", ttl)
        if self._released or not await self._client.eval(EXTEND, 1, self._key, self._token, milliseconds(ttl)):
            raise LockLost(f"{self._key!r} is no longer ours")

    async def release(self):
        if self._released:
            return
        if not await self._client.eval(RELEASE, 1, self._key, self._token):
            raise LockLost(f"{self._key!r} ran out before it was released")
        self._released = True


class RedisLock:
    def __init__(self, client, name, *, ttl, poll=0.1):
        self._client = client
        self._key = f"lock:{name}"
        self._ttl = checked("ttl", ttl)
        self._poll = checked("poll", poll)

    async def acquire(self, timeout=None):
        if timeout is not None and not 0 <= timeout < math.inf:
            raise ValueError(f"timeout must be None or a number of seconds from 0 on, not {timeout!r}")
        clock = asyncio.get_running_loop().time
        end = math.inf if timeout is None else clock() + timeout
        token = f"{random.getrandbits(128):032x}"
        while not await self._taken(token):
            left = end - clock()
            if left <= 0:
                raise LockTimeout(f"{self._key!r} was held by somebody else for {timeout:g} s")
            await asyncio.sleep(min(left, random.uniform(self._poll / 2, self._poll)))
        return Lease(self._client, self._key, token, self._ttl)

    @contextlib.asynccontextmanager
    async def hold(self, timeout=None):
        lease = await self.acquire(timeout)
        try:
            yield lease
        except BaseException:
            with contextlib.suppress(LockLost, redis.RedisError):
                await lease.release()
            raise
        await lease.release()

    async def _taken(self, token):
        found = await self._client.set(self._key, token, nx=True, get=True, px=milliseconds(self._ttl))
        return found is None or found in (token, token.encode())


def checked(what, seconds):
    if not 0.001 <= seconds <= TEN_YEARS:
        raise ValueError(f"{what} must be between 0.001 and {TEN_YEARS} seconds, not {seconds!r}")
    return seconds


def milliseconds(seconds):
    return round(seconds * 1000)
