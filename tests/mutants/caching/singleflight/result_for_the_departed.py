"""A future for each caller; the run sets them all, also that of a caller who has just been cancelled, which raises.

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
        self.runs = {}

    async def do(self, key, fn):
        run = self.runs.get(key)
        if run is None:
            run = self.runs[key] = {"futures": []}
            run["task"] = asyncio.create_task(self.run(key, run, fn))
        future = asyncio.get_running_loop().create_future()
        run["futures"].append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future in run["futures"]:
                run["futures"].remove(future)
            if not run["futures"]:
                self.release(key, run)
                run["task"].cancel()
            raise

    def forget(self, key):
        self.runs.pop(key, None)

    async def run(self, key, run, fn):
        try:
            value = await fn()
        except asyncio.CancelledError:
            self.release(key, run)
            for future in run["futures"]:
                future.cancel()
        except Exception as error:  # noqa: BLE001 - it goes to all callers
            self.release(key, run)
            for future in run["futures"]:
                future.set_exception(error)
        else:
            self.release(key, run)
            for future in run["futures"]:
                future.set_result(value)

    def release(self, key, run):
        if self.runs.get(key) is run:
            del self.runs[key]
