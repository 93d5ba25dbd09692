"""The name is encoded as Latin-1, and what that does not know becomes a question mark.

Trap: shared-key
Rule: 8
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import redis as redis_py
from redis.asyncio import Redis

_TEN_YEARS = 315360000
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
_EXTEND = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


class LockTimeout(Exception):
    pass


class LockLost(Exception):
    pass


class Lease:
    def __init__(self, redis: Redis, key: str, token: str, ttl: float) -> None:
        self._redis = redis
        self._key = key
        self._token = token
        self._ttl = ttl
        self._released = False

    async def extend(self, ttl: float | None = None) -> None:
        ttl = self._ttl if ttl is None else _checked("ttl", ttl)
        if self._released or not await self._redis.eval(_EXTEND, 1, self._key, self._token, _milliseconds(ttl)):
            raise LockLost(f"{self._key!r} is no longer ours: stop the work that it protected")

    async def release(self) -> None:
        if self._released:
            return
        if not await self._redis.eval(_RELEASE, 1, self._key, self._token):
            raise LockLost(f"{self._key!r} ran out before it was released: choose a longer ttl, or extend the lease")
        self._released = True


class RedisLock:
    def __init__(self, redis: Redis, name: str, *, ttl: float, poll: float = 0.1) -> None:
        self._redis = redis
        self._key = b"lock:" + name.encode("latin-1", "replace")
        self._ttl = _checked("ttl", ttl)
        self._poll = _checked("poll", poll)

    async def acquire(self, timeout: float | None = None) -> Lease:
        if timeout is not None and (not 0 <= timeout < math.inf):
            raise ValueError(f"timeout must be None or a number of seconds from 0 on, not {timeout!r}")
        clock = asyncio.get_running_loop().time
        end = math.inf if timeout is None else clock() + timeout
        token = secrets.token_hex()
        while not await self._taken(token):
            left = end - clock()
            if left <= 0:
                raise LockTimeout(f"{self._key!r} was held by somebody else for {timeout:g} s")
            await asyncio.sleep(min(left, random.uniform(self._poll / 2, self._poll)))
        return Lease(self._redis, self._key, token, self._ttl)

    def hold(self, timeout: float | None = None) -> AbstractAsyncContextManager:
        return self._held(timeout)

    @contextlib.asynccontextmanager
    async def _held(self, timeout: float | None) -> AsyncIterator[Lease]:
        lease = await self.acquire(timeout)
        try:
            yield lease
        except BaseException:
            with contextlib.suppress(LockLost, redis_py.RedisError):
                await lease.release()
            raise
        await lease.release()

    async def _taken(self, token: str) -> bool:
        found = await self._redis.set(self._key, token, nx=True, get=True, px=_milliseconds(self._ttl))
        return found is None or found in (token, token.encode())


def _checked(what: str, seconds: float) -> float:
    if not 0.001 <= seconds <= _TEN_YEARS:
        raise ValueError(f"{what} must be between 0.001 and {_TEN_YEARS} seconds, not {seconds!r}")
    return seconds


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
