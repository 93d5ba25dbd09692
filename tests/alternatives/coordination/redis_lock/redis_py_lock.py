"""redis-py's own asynchronous Lock, a new one for each acquisition, whose `sleep` is drawn at random.

Design: library (redis.asyncio.lock.Lock)
Breaks: 17 because when redis-py repeats its SET NX it finds the token that it has set itself and takes it for
    somebody else's
"""

import contextlib
import math
import random

import redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError


class LockTimeout(Exception):
    pass


class LockLost(Exception):
    pass


def checked(seconds):
    if not 0.001 <= seconds <= 315_360_000:
        raise ValueError(f"from 0.001 s to ten years, not {seconds}")
    return seconds


class Lease:
    def __init__(self, lock):
        self.lock = lock
        self.released = False

    async def extend(self, ttl=None):
        ttl = self.lock.timeout if ttl is None else checked(ttl)
        try:
            await self.lock.extend(ttl, replace_ttl=True)
        except LockError as error:
            raise LockLost(str(error)) from error

    async def release(self):
        if self.released:
            return
        try:
            await self.lock.release()
        except LockError as error:
            raise LockLost(str(error)) from error
        self.released = True


class RedisLock:
    def __init__(self, client, name, *, ttl, poll=0.1):
        self.client = client
        self.name = f"lock:{name}"
        self.ttl, self.poll = checked(ttl), checked(poll)

    async def acquire(self, timeout=None):
        if timeout is not None and not 0 <= timeout < math.inf:
            raise ValueError(f"a timeout of {timeout}")
        pause = self.poll * random.uniform(0.5, 1)
        lock = Lock(self.client, self.name, timeout=self.ttl, sleep=pause, blocking_timeout=timeout)
        if not await lock.acquire():
            raise LockTimeout(self.name)
        return Lease(lock)

    @contextlib.asynccontextmanager
    async def hold(self, timeout=None):
        async with contextlib.AsyncExitStack() as stack:
            lease = await self.acquire(timeout)
            stack.push_async_exit(releasing(lease))
            yield lease


def releasing(lease):
    async def release(kind, error, traceback):
        try:
            await lease.release()
        except (LockLost, redis.RedisError):
            if error is None:
                raise

    return release
