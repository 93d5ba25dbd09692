"""Calls `fn` before there is a run: the tasks that the call starts are no part of it.

Trap: waits-for-itself
Rule: 9
"""

import asyncio
import contextvars


class ReentrantCall(RuntimeError):
    def __init__(self, key):
        super().__init__(f"the run for {key!r} would wait for itself")
        self.key = key


inside = contextvars.ContextVar("inside", default=None)


class Flight:
    def __init__(self):
        self.callers = []
        self.task = None


def held_up_by(flight):
    found, pending = set(), [flight]
    while pending:
        one = pending.pop()
        if one is not None and one not in found and not one.task.done():
            found.add(one)
            pending += one.callers
    return found


class SingleFlight:
    def __init__(self):
        self.flights = {}

    async def do(self, key, fn):
        caller = inside.get()
        flight = self.flights.get(key)
        if flight is None:
            flight = self.start(key, fn)
        elif caller is not None and flight in held_up_by(caller):
            raise ReentrantCall(key)
        flight.callers.append(caller)
        try:
            await asyncio.wait([flight.task])
        finally:
            flight.callers.remove(caller)
            if not flight.callers and not flight.task.done():
                self.release(key, flight)
                flight.task.cancel()
        return flight.task.result()

    def forget(self, key):
        self.flights.pop(key, None)

    def start(self, key, fn):
        awaitable = fn()
        flight = self.flights[key] = Flight()

        async def run():
            inside.set(flight)
            return await awaitable

        def ended(task):
            self.release(key, flight)
            if asyncio.iscoroutine(awaitable):
                awaitable.close()  # if the run was cancelled before it began
            if not task.cancelled():
                task.exception()

        flight.task = asyncio.create_task(run())
        flight.task.add_done_callback(ended)
        return flight

    def release(self, key, flight):
        if self.flights.get(key) is flight:
            del self.flights[key]
