"""A queue of all writes, carried out in order: a value that is overwritten a hundred times is written a hundred times.

Trap: counts-values
Rule: 3
Published: in tutorials on write-behind caching: the buffer is a queue of operations
"""

import asyncio
import copy


class Refused(Exception):
    pass


class Closed(Exception):
    pass


class WriteBehind:
    def __init__(
        self, store, *, on_refused, batch_size=100, max_age=1.0, capacity=10_000, retry_base=0.1, retry_cap=30.0
    ):
        self.store = store
        self.batch_size = batch_size
        self.max_age = max_age
        self.log = []
        self.task = None

    async def put(self, key, value):
        self.log.append((key, copy.deepcopy(value)))
        if self.task is None:
            self.task = asyncio.create_task(self.work())

    async def get(self, key):
        for known, value in reversed(self.log):
            if known == key:
                return copy.deepcopy(value)
        return await self.store.read(key)

    async def work(self):
        await asyncio.sleep(self.max_age)
        while self.log:
            batch = {}
            taken = 0
            for key, value in self.log[: self.batch_size]:
                if key in batch:
                    break
                batch[key] = value
                taken += 1
            await self.store.write(batch)
            del self.log[:taken]
        self.task = None

    async def flush(self):
        while self.log:
            await asyncio.sleep(0.01)

    async def close(self, *, timeout=10.0):
        await self.flush()
        return {}
