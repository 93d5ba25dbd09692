"""The first caller runs the function itself; if it is cancelled, the others find no value, and the key stays taken.

Trap: one-takes-all-down
Rule: 6
"""

import asyncio


class ReentrantCall(RuntimeError):
    def __init__(self, key):
        super().__init__(f"the run for {key!r} would wait for itself")
        self.key = key


class Call:
    def __init__(self):
        self.done = asyncio.Event()
        self.value = None
        self.error = None


class SingleFlight:
    def __init__(self):
        self.calls = {}

    async def do(self, key, fn):
        if key in self.calls:
            call = self.calls[key]
            await call.done.wait()
        else:
            call = self.calls[key] = Call()
            try:
                call.value = await fn()
            except Exception as error:  # noqa: BLE001 - it goes to all callers
                call.error = error
            finally:
                call.done.set()
            del self.calls[key]
        if call.error is not None:
            raise call.error
        return call.value

    def forget(self, key):
        self.calls.pop(key, None)
