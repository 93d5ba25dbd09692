"""An asyncio.Lock for each name: right on one server, and nowhere else.

Trap: lock-in-the-process
Rule: 1
"""

import asyncio
import collections
import contextlib
import math

TEN_YEARS = 315_360_000
LOCKS = collections.defaultdict(asyncio.Lock)


class LockTimeout(Exception):
    pass


class LockLost(Exception):
    pass


class Lease:
    def __init__(self, lock, ttl):
        self._lock = lock
        self._ttl = ttl
        self._over = False
        self._timer = asyncio.get_running_loop().call_later(ttl, self._end)

    def _end(self):
        self._over = True
        self._lock.release()

    async def extend(self, ttl=None):
        ttl = self._ttl if ttl is None else checked("ttl", ttl)
        if self._over:
            raise LockLost
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(ttl, self._end)

    async def release(self):
        if self._timer.cancelled():
            return
        if self._over:
            raise LockLost
        self._timer.cancel()
        self._end()


class RedisLock:
    def __init__(self, client, name, *, ttl, poll=0.1):
        self._name = name
        self._ttl = checked("ttl", ttl)
        checked("poll", poll)

    async def acquire(self, timeout=None):
        if timeout is not None and not 0 <= timeout < math.inf:
            raise ValueError(f"timeout must be None or a number of seconds from 0 on, not {timeout!r}")
        lock = LOCKS[self._name]
        if timeout == 0 and lock.locked():
            raise LockTimeout
        try:
            await asyncio.wait_for(lock.acquire(), timeout or None)
        except TimeoutError:
            raise LockTimeout from None
        return Lease(lock, self._ttl)

    @contextlib.asynccontextmanager
    async def hold(self, timeout=None):
        lease = await self.acquire(timeout)
        try:
            yield lease
        except BaseException:
            with contextlib.suppress(LockLost):
                await lease.release()
            raise
        await lease.release()


def checked(what, seconds):
    if not 0.001 <= seconds <= TEN_YEARS:
        raise ValueError(f"{what} must be between 0.001 and {TEN_YEARS} seconds, not {seconds!r}")
    return seconds
