"""async-lru, whose concurrent callers share one task and cancel it with the last of them.

A cache of no lifetime: each run takes its own entry out. The library has one entry for each key, so what it sees as
keys are tickets, one for each run. It does not look for circles.

Design: library
Breaks: 9 because async-lru waits for ever when a call waits for itself
"""

import asyncio
from dataclasses import dataclass, field

from async_lru import alru_cache


class ReentrantCall(RuntimeError):
    """Never raised."""


@dataclass(eq=False)
class Ticket:
    key: object
    fn: object
    error: BaseException | None = field(default=None)


class SingleFlight:
    def __init__(self):
        self._tickets = {}
        self._shared = alru_cache(maxsize=None)(self._run)

    async def do(self, key, fn):
        ticket = self._tickets.setdefault(key, Ticket(key, fn))
        try:
            value = await self._shared(ticket)
        except asyncio.CancelledError:
            if not self._shared.cache_contains(ticket):  # the library has cancelled the run
                self._drop(ticket)
            raise
        if ticket.error is not None:
            raise ticket.error
        return value

    def forget(self, key):
        self._tickets.pop(key, None)

    async def _run(self, ticket):
        try:
            return await ticket.fn()
        except Exception as error:  # noqa: BLE001 - `do` raises it
            # Not raised here: of a run that everybody has left, the library would leave it unretrieved.
            ticket.error = error
        finally:
            self._drop(ticket)
            self._shared.cache_invalidate(ticket)

    def _drop(self, ticket):
        if self._tickets.get(ticket.key) is ticket:
            del self._tickets[ticket.key]
