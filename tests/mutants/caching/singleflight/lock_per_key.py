"""A lock for each key: never two runs at once, but everybody's, one after the other.

Trap: run-per-caller
Rule: 1
"""

import asyncio
import collections


class ReentrantCall(RuntimeError):
    def __init__(self, key):
        super().__init__(f"the run for {key!r} would wait for itself")
        self.key = key


class SingleFlight:
    def __init__(self):
        self.locks = collections.defaultdict(asyncio.Lock)

    async def do(self, key, fn):
        async with self.locks[key]:
            return await fn()

    def forget(self, key):
        self.locks.pop(key, None)
