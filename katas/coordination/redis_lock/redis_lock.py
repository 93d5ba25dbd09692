"""A lock in Redis: one holder at a time among all servers, and never for longer than a dead one's TTL.

A lock is a lease: it names its holder and it runs out by itself. (Gray and Cheriton, "Leases", SOSP 1989; the Redis
documentation, "Distributed locks with Redis", correct implementation with a single instance.)
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from redis.asyncio import Redis


class LockTimeout(Exception):
    """The lock was not to be had in time. Nothing was taken, and nothing will be."""


class LockLost(Exception):
    """The lease is over: its time ran out, or it was released. Somebody else may hold the lock, or have held it."""


class Lease:
    """One acquisition of a lock, made by `RedisLock.acquire`. Only this very acquisition can end or prolong itself."""

    async def extend(self, ttl: float | None = None) -> None:
        """Let the lease end `ttl` seconds from now, whatever was left of it; by default the lock's own `ttl`.

        Raises:
            LockLost: the lease is over already; nothing is changed, and whoever holds the lock now keeps it.
            ValueError: `ttl` is not between 0.001 and 315 360 000 (ten years).
            redis.RedisError: whatever the client raises; the lease may have been prolonged or not.
        """
        raise NotImplementedError("Lease.extend is yours to write; its rules stand in README.md")

    async def release(self) -> None:
        """Give the lock back. A lease that was released already stays so, and nothing happens.

        Raises:
            LockLost: the lease ran out before; whoever holds the lock now keeps it.
            redis.RedisError: whatever the client raises. The lock may be free or not; release may be called again.
        """
        raise NotImplementedError("Lease.release is yours to write; its rules stand in README.md")


class RedisLock:
    """The lock called `name`, the same one for every server. One object serves any number of tasks; not re-entrant.

    It says who goes first; it cannot keep a holder that was paused past its lease from going on.
    """

    def __init__(self, redis: Redis, name: str, *, ttl: float, poll: float = 0.1) -> None:
        """
        Args:
            redis: the caller's client; it may retry by itself, and have `decode_responses` on or off.
            name: any text. Two names that differ anywhere are two locks.
            ttl: seconds that a lease lasts from its acquisition, at least 0.001, at most 315 360 000 (ten years).
            poll: seconds after which a waiter has noticed, at the latest, that the lock is free; in the same range.

        Raises:
            ValueError: `ttl` or `poll` is out of range.
        """
        raise NotImplementedError("RedisLock.__init__ is yours to write; its rules stand in README.md")

    async def acquire(self, timeout: float | None = None) -> Lease:
        """Wait for the lock for at most `timeout` seconds: 0 asks once, None waits as long as it takes.

        Raises:
            LockTimeout: somebody else held it all the time.
            ValueError: `timeout` is negative, infinite or nan.
            redis.RedisError: whatever the client raises, at once. The lock may be taken then, for `ttl` at most.
        """
        raise NotImplementedError("RedisLock.acquire is yours to write; its rules stand in README.md")

    def hold(self, timeout: float | None = None) -> AbstractAsyncContextManager[Lease]:
        """`async with lock.hold(timeout) as lease`: acquires as `acquire` does, and releases however the body ends.

        What the body raises reaches the caller, whatever becomes of the release. If the body ends well, it raises what
        `Lease.release` does: LockLost says that the body was not alone all the time.
        """
        raise NotImplementedError("RedisLock.hold is yours to write; its rules stand in README.md")
