"""`fn` is called in `do` itself, and each caller awaits a shield around the task that awaits what it gave.

Design: asyncio.shield, which takes a caller's cancellation and leaves the task alone. A run knows the run that it was
started in; who waits for whom is one list of pairs, and a call is refused if those who wait for its own run grow to
include the one that it wants.
Breaks: none
"""

import asyncio
from contextvars import ContextVar, copy_context

here = ContextVar("here", default=None)
waits = []  # the run that a call is made in, and the one that it waits for
tasks = set()


class ReentrantCall(RuntimeError):
    def __init__(self, key):
        super().__init__(f"{key!r} is waiting for this very call")
        self.key = key


class Run:
    def __init__(self, outer):
        self.outer, self.callers, self.over, self.task = outer, 0, False, None


def line(run):
    """A run and those that it was started in, as far as they are under way."""
    found = set()
    while run is not None:
        if not run.over:
            found.add(run)
        run = run.outer
    return found


def stuck_until(run):
    found = line(run)
    while more := set().union(*(line(who) for who, what in waits if what in found)) - found:
        found |= more
    return found


class SingleFlight:
    def __init__(self):
        self._runs = {}

    async def do(self, key, fn):
        mine, run = here.get(), self._runs.get(key)
        if run is None:
            run = self._begin(key, fn, mine)
        elif run in stuck_until(mine):
            raise ReentrantCall(key)
        wait = (mine, run)
        waits.append(wait)
        run.callers += 1
        try:
            return await asyncio.shield(run.task)
        finally:
            waits.remove(wait)
            run.callers -= 1
            if not run.callers and not run.task.done():
                self._close(key, run)
                run.task.cancel()

    def forget(self, key):
        self._runs.pop(key, None)

    def _begin(self, key, fn, outer):
        run, context = Run(outer), copy_context()
        context.run(here.set, run)
        self._runs[key] = run
        try:
            awaitable = context.run(fn)
        except BaseException:
            run.over = True
            self._close(key, run)
            raise

        async def fly():
            try:
                return await awaitable
            finally:
                run.over = True
                self._close(key, run)

        def landed(task):
            run.over = True
            tasks.discard(task)
            if not task.cancelled():
                task.exception()
            elif asyncio.iscoroutine(awaitable):
                awaitable.close()  # cancelled before it began

        run.task = asyncio.create_task(fly(), context=context)
        tasks.add(run.task)
        run.task.add_done_callback(landed)
        return run

    def _close(self, key, run):
        if self._runs.get(key) is run:
            del self._runs[key]
