"""Calls for the same key at the same time share one run of the function: single flight.

Sources: Go's `golang.org/x/sync/singleflight` (do, forget); Python documentation, `asyncio` (tasks, cancellation)
and `contextvars`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

T = TypeVar("T")


class ReentrantCall(RuntimeError):
    """This call would wait for a run that waits for this call, directly or through other runs. `key` is its key."""

    def __init__(self, key: Hashable) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"the run for {self.key!r} would wait for itself; pass the value along instead of asking for it again"


class SingleFlight:
    """Runs one function for each key at a time, and gives its outcome to all who asked meanwhile.

    Keys are hashable, and the same if they are equal, as in a dict. Two instances share nothing. Use it from one event
    loop.
    """

    def __init__(self) -> None:
        raise NotImplementedError("SingleFlight.__init__ is yours to write; its rules stand in README.md")

    async def do(self, key: Hashable, fn: Callable[[], Awaitable[T]]) -> T:
        """What the run for `key` returns; if there is none, start one: call `fn` and await what it gives.

        Raises what the run raises, and ReentrantCall if the call would wait for itself. Cancelled, it ends at once; the
        run goes on as long as anybody waits for it, and is cancelled when nobody does.
        """
        raise NotImplementedError("SingleFlight.do is yours to write; its rules stand in README.md")

    def forget(self, key: Hashable) -> None:
        """Let the next call for `key` start a run of its own. A run that is under way serves those who wait for it.

        No-op if there is none.
        """
        raise NotImplementedError("SingleFlight.forget is yours to write; its rules stand in README.md")
