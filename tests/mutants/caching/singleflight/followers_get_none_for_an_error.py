"""An event tells the others that the run is over; after an error they find no value, and return None.

Trap: error-kept-from-callers
Rule: 4
"""

import asyncio


class ReentrantCall(RuntimeError):
    def __init__(self, key):
        super().__init__(f"the run for {key!r} would wait for itself")
        self.key = key


class SingleFlight:
    def __init__(self):
        self.events = {}
        self.values = {}

    async def do(self, key, fn):
        if key in self.events:
            await self.events[key].wait()
            return self.values.get(key)
        event = self.events[key] = asyncio.Event()
        self.values.pop(key, None)
        try:
            self.values[key] = await fn()
            return self.values[key]
        finally:
            self.events.pop(key, None)
            event.set()

    def forget(self, key):
        self.events.pop(key, None)
