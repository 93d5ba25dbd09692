"""The future is given the value and never the error.

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
        self.futures = {}

    async def do(self, key, fn):
        if key in self.futures:
            return await asyncio.shield(self.futures[key])
        future = self.futures[key] = asyncio.get_running_loop().create_future()
        try:
            value = await fn()
        finally:
            self.futures.pop(key, None)
        future.set_result(value)
        return value

    def forget(self, key):
        self.futures.pop(key, None)
