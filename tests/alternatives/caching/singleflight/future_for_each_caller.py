"""A future for each caller; the run itself hands its outcome round, and is stopped when no future is left.

Design: callers are futures in a set, each with its own outcome; circles are sought forwards, from the run that a call
wants along the runs that it waits for, which are counted.
Breaks: none
"""

import asyncio
import contextlib
from collections import Counter
from contextvars import ContextVar

here = ContextVar("here", default=None)


class ReentrantCall(RuntimeError):
    def __init__(self, key):
        self.key = key
        super().__init__(f"{key!r} needs itself")


class Run:
    def __init__(self):
        self.asking = set()
        self.needs = Counter()
        self.over = False
        self.task = None

    def depends_on(self, other, seen=()):
        if self is other:
            return True
        return any(run.depends_on(other, (*seen, self)) for run in self.needs if run not in seen)

    def settle(self, value=None, error=None):
        self.over = True
        while self.asking:
            future = self.asking.pop()
            if future.done():
                continue
            if error is None:
                future.set_result(value)
            elif isinstance(error, asyncio.CancelledError):
                future.cancel()
            else:
                future.set_exception(error)


class SingleFlight:
    def __init__(self):
        self._current = {}

    async def do(self, key, fn):
        mine = here.get()
        if mine is not None and mine.over:
            mine = None
        run = self._current.get(key)
        if run is None:
            run = self._current[key] = Run()
            run.task = asyncio.ensure_future(self._fly(key, run, fn))
        elif mine is not None and run.depends_on(mine):
            raise ReentrantCall(key)
        future = asyncio.get_running_loop().create_future()
        run.asking.add(future)
        if mine is not None:
            mine.needs[run] += 1
        try:
            return await future
        finally:
            if mine is not None:
                mine.needs[run] -= 1
                mine.needs += Counter()  # without those that are needed no more
            run.asking.discard(future)
            if not run.asking and not run.over:
                self._leave(key, run)
                run.task.cancel()

    def forget(self, key):
        if key in self._current:
            del self._current[key]

    async def _fly(self, key, run, fn):
        here.set(run)
        value, error = None, None
        try:
            value = await fn()
        except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001 - it goes to all callers
            error = raised
        self._leave(key, run)
        run.settle(value, error)

    def _leave(self, key, run):
        if self._current.get(key) is run:
            with contextlib.suppress(KeyError):
                del self._current[key]
