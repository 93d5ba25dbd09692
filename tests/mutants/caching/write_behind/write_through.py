"""Write-through under another name: each put writes, and waits for the store.

Trap: put-waits-for-the-store
Rule: 2
"""


class Refused(Exception):
    pass


class Closed(Exception):
    pass


class WriteBehind:
    def __init__(
        self, store, *, on_refused, batch_size=100, max_age=1.0, capacity=10_000, retry_base=0.1, retry_cap=30.0
    ):
        self.store = store
        self.on_refused = on_refused

    async def put(self, key, value):
        try:
            await self.store.write({key: value})
        except Refused:
            self.on_refused(key, value)

    async def get(self, key):
        return await self.store.read(key)

    async def flush(self):
        pass

    async def close(self, *, timeout=10.0):
        return {}
