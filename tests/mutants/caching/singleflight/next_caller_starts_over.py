"""When the first caller is cancelled, the next one starts over with a function of its own.

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
        while key in self.futures:
            future = self.futures[key]
            await asyncio.wait([future])
            if not future.cancelled():
                return future.result()
        future = self.futures[key] = asyncio.get_running_loop().create_future()
        try:
            future.set_result(await fn())
        except asyncio.CancelledError:
            future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it goes to all callers
            future.set_exception(error)
        finally:
            if self.futures.get(key) is future:
                del self.futures[key]
        return future.result()

    def forget(self, key):
        self.futures.pop(key, None)
