"""A background task for each value: fast, and the values of a key overtake each other on the way to the store.

Trap: writes-overlap
Rule: 4
Published: in tutorials that compare write-behind with write-back: one asynchronous task for each write
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
        self.newest = {}
        self.tasks = set()

    async def put(self, key, value):
        self.newest[key] = value = copy.deepcopy(value)
        task = asyncio.create_task(self.store.write({key: value}))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def get(self, key):
        if key in self.newest:
            return copy.deepcopy(self.newest[key])
        return await self.store.read(key)

    async def flush(self):
        await asyncio.gather(*self.tasks)

    async def close(self, *, timeout=10.0):
        await self.flush()
        return {}
