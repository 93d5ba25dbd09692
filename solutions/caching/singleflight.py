"""Calls for the same key at the same time share one run of the function: single flight.

Sources: Go's `golang.org/x/sync/singleflight` (do, forget); Python documentation, `asyncio` (tasks, cancellation)
and `contextvars`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


class ReentrantCall(RuntimeError):
    """This call would wait for a run that waits for this call, directly or through other runs. `key` is its key."""

    def __init__(self, key: Hashable) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"the run for {self.key!r} would wait for itself; pass the value along instead of asking for it again"


@dataclass(eq=False)
class _Flight:
    """One run and the calls that wait for it: for each of them the flight that it was made in, None for no flight."""

    waiters: list[_Flight | None] = field(default_factory=list)
    run: asyncio.Task[Any] = field(init=False)


# For all instances together: runs of two of them can wait for each other, too. Tasks inherit it from who starts them.
_inside: ContextVar[_Flight | None] = ContextVar("singleflight_inside", default=None)


class SingleFlight:
    """Runs one function for each key at a time, and gives its outcome to all who asked meanwhile.

    Keys are hashable, and the same if they are equal, as in a dict. Two instances share nothing. Use it from one event
    loop.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}
        self._runs: set[asyncio.Task[Any]] = set()

    async def do(self, key: Hashable, fn: Callable[[], Awaitable[T]]) -> T:
        """What the run for `key` returns; if there is none, start one: call `fn` and await what it gives.

        Raises what the run raises, and ReentrantCall if the call would wait for itself. Cancelled, it ends at once; the
        run goes on as long as anybody waits for it, and is cancelled when nobody does.
        """
        caller = _inside.get()
        flight = self._flights.get(key)
        if flight is None:
            flight = self._start(key, fn)
        elif caller is not None and flight in _held_up_by(caller):
            raise ReentrantCall(key)
        flight.waiters.append(caller)
        try:
            # `wait` leaves the run alone when this call is cancelled, and takes no notice of how the run ends.
            await asyncio.wait({flight.run})
        finally:
            flight.waiters.remove(caller)
            if not flight.waiters and not flight.run.done():
                # Released first: the run may take its time over the cancellation, and nobody may join it then.
                self._release(key, flight)
                flight.run.cancel()
        value: T = flight.run.result()
        return value

    def forget(self, key: Hashable) -> None:
        """Let the next call for `key` start a run of its own. A run that is under way serves those who wait for it.

        No-op if there is none.
        """
        self._flights.pop(key, None)

    def _start(self, key: Hashable, fn: Callable[[], Awaitable[Any]]) -> _Flight:
        flight = self._flights[key] = _Flight()

        async def run() -> Any:
            _inside.set(flight)
            return await fn()

        # A task of its own, so that it is nobody's: the caller who happened to come first may leave like any other.
        flight.run = asyncio.create_task(run())
        flight.run.add_done_callback(functools.partial(self._ended, key, flight))
        # The loop holds tasks weakly, and a run that has been cancelled has no caller left to hold it.
        self._runs.add(flight.run)
        return flight

    def _ended(self, key: Hashable, flight: _Flight, run: asyncio.Task[Any]) -> None:
        self._release(key, flight)
        self._runs.discard(run)
        if not run.cancelled():
            run.exception()  # retrieved, even if everybody has left: an error in an abandoned run is nobody's news

    def _release(self, key: Hashable, flight: _Flight) -> None:
        # After `forget` a newer flight may stand there, and that one is not ours to remove.
        if self._flights.get(key) is flight:
            del self._flights[key]


def _held_up_by(flight: _Flight) -> set[_Flight]:
    """The flights that cannot end before `flight` has: itself, those whose runs wait for it, and so on."""
    found: set[_Flight] = set()
    pending: list[_Flight | None] = [flight]
    while pending:
        one = pending.pop()
        # A run that has ended holds up nobody; tasks that it left behind still say that they are inside it.
        if one is not None and one not in found and not one.run.done():
            found.add(one)
            pending.extend(one.waiters)
    return found
