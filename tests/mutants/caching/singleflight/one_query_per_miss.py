"""Read-through as it is sold: the cache asks the source once per miss, and so does each of two hundred callers.

Trap: run-per-caller
Rule: 1
"""


class ReentrantCall(RuntimeError):
    def __init__(self, key):
        super().__init__(f"the run for {key!r} would wait for itself")
        self.key = key


class SingleFlight:
    async def do(self, key, fn):
        return await fn()

    def forget(self, key):
        pass
