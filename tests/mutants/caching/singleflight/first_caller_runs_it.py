"""The first caller runs the function itself; when it is cancelled, so are all who wait.

Trap: one-takes-all-down
Rule: 6
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
            future.set_result(await fn())
        except asyncio.CancelledError:
            future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it goes to all callers
            future.set_exception(error)
        finally:
            self.futures.pop(key, None)
        return await future

    def forget(self, key):
        self.futures.pop(key, None)
