"""A loop that sleeps, puts a new dict in the place of the full one, and writes that; errors are printed.

Trap: reads-around
Rule: 1
"""

import asyncio


class Refused(Exception):
    pass


class Closed(Exception):
    pass


class WriteBehind:
    def __init__(
        self, store, *, on_refused, batch_size=100, max_age=1.0, capacity=10_000, retry_base=0.1, retry_cap=30.0
    ):
        self.store = store
        self.max_age = max_age
        self.dirty = {}
        self.task = None

    async def put(self, key, value):
        self.dirty[key] = value
        if self.task is None:
            self.task = asyncio.create_task(self.loop())

    async def get(self, key):
        if key in self.dirty:
            return self.dirty[key]
        return await self.store.read(key)

    async def loop(self):
        while True:
            await asyncio.sleep(self.max_age)
            await self.flush()

    async def flush(self):
        if not self.dirty:
            return
        batch, self.dirty = self.dirty, {}
        try:
            await self.store.write(batch)
        except Exception as error:  # noqa: BLE001
            print("write failed:", error)

    async def close(self, *, timeout=10.0):
        await self.flush()
        if self.task is not None:
            self.task.cancel()
        return {}
