"""Cache-aside under the name of read-through: look, load, store; who looks before it is stored loads as well.

Trap: run-per-caller
Rule: 1
"""


class ReentrantCall(RuntimeError):
    def __init__(self, key):
        super().__init__(f"the run for {key!r} would wait for itself")
        self.key = key


class SingleFlight:
    def __init__(self):
        self.values = {}

    async def do(self, key, fn):
        if key in self.values:
            return self.values[key]
        value = await fn()
        self.values[key] = value
        return value

    def forget(self, key):
        self.values.pop(key, None)
