"""WATCH, look, MULTI … EXEC for each of the three; classes with `__aenter__` instead of generators.

Design: optimistic locking without Lua; every conflict only says "look again"
Breaks: none
"""

import asyncio
import random
import uuid

import redis


class LockTimeout(Exception):
    pass


class LockLost(Exception):
    pass


def seconds(value):
    if not (value >= 0.001 and value <= 315_360_000):
        raise ValueError(f"from 0.001 s to ten years, not {value}")
    return int(value * 1000 + 0.5)


async def change(client, key, wanted, command):
    """Queue `command` if the key's value is in `wanted`; what was found, and whether it took effect."""
    async with client.pipeline(transaction=True) as pipe:
        while True:
            try:
                await pipe.watch(key)
                found = await pipe.get(key)
                found = found.decode() if isinstance(found, bytes) else found
                if found not in wanted:
                    return found, False
                pipe.multi()
                command(pipe)
                [done] = await pipe.execute()
                return found, bool(done)
            except redis.WatchError:
                continue


class Lease:
    def __init__(self, client, key, token, ttl):
        self.client, self.key, self.token, self.ttl = client, key, token, ttl
        self.over = False

    async def extend(self, ttl=None):
        amount = self.ttl if ttl is None else seconds(ttl)
        await self.change(lambda pipe: pipe.pexpire(self.key, amount))

    async def release(self):
        if not self.over:
            await self.change(lambda pipe: pipe.delete(self.key))
            self.over = True

    async def change(self, command):
        if self.over:
            raise LockLost(self.key)
        _, done = await change(self.client, self.key, [self.token], command)
        if not done:
            raise LockLost(self.key)


class Hold:
    def __init__(self, lock, timeout):
        self.lock, self.timeout = lock, timeout

    async def __aenter__(self):
        self.lease = await self.lock.acquire(self.timeout)
        return self.lease

    async def __aexit__(self, kind, error, traceback):
        try:
            await self.lease.release()
        except (LockLost, redis.RedisError):
            if error is None:
                raise


class RedisLock:
    def __init__(self, client, name, *, ttl, poll=0.1):
        self.client, self.key = client, "lock:" + name
        self.ttl = seconds(ttl)
        seconds(poll)
        self.poll = poll

    async def acquire(self, timeout=None):
        if timeout is not None and not (0 <= timeout < float("inf")):
            raise ValueError(f"a timeout of {timeout}")
        token = str(uuid.uuid4())
        try:
            async with asyncio.timeout(timeout or None):
                while not await self.take(token):
                    if timeout == 0:
                        raise LockTimeout(self.key)
                    await asyncio.sleep(self.poll * random.uniform(0.3, 1))
        except TimeoutError:
            raise LockTimeout(self.key) from None
        return Lease(self.client, self.key, token, self.ttl)

    async def take(self, token):
        found, done = await change(self.client, self.key, [None], lambda pipe: pipe.set(self.key, token, px=self.ttl))
        return done or found == token

    def hold(self, timeout=None):
        return Hold(self, timeout)
