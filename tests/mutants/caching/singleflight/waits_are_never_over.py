"""Notes which key has needed which other, and never crosses anything out.

Trap: false-alarm
Rule: 10
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
        self.name = None


needed_by = {}


def held_up_by(name):
    found, pending = set(), [name]
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            pending += needed_by.get(one, ())
    return found


class SingleFlight:
    def __init__(self):
        self.flights = {}

    async def do(self, key, fn):
        caller = inside.get()
        flight = self.flights.get(key)
        if flight is None:
            flight = self.start(key, fn)
        elif caller is not None and flight.name in held_up_by(caller.name):
            raise ReentrantCall(key)
        flight.callers.append(caller)
        flight.name = id(self), key
        if caller is not None:
            needed_by.setdefault(flight.name, set()).add(caller.name)
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
        flight = self.flights[key] = Flight()

        async def run():
            inside.set(flight)
            return await fn()

        def ended(task):
            self.release(key, flight)
            if not task.cancelled():
                task.exception()

        flight.task = asyncio.create_task(run())
        flight.task.add_done_callback(ended)
        return flight

    def release(self, key, flight):
        if self.flights.get(key) is flight:
            del self.flights[key]
