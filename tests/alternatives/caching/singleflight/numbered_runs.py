"""Runs have numbers; callers wait at one condition until the run of their number has landed; the last one tidies up.

Design: one asyncio.Condition and a board of outcomes; no caller ever awaits a task or a future of its run. Circles:
who waits for which number is a list of pairs, closed under transitivity when a call asks.
Breaks: none
"""

import asyncio
import itertools
from contextvars import ContextVar

numbers = itertools.count(1)
aboard = ContextVar("aboard", default=0)
waiting: list[tuple[int, int]] = []  # the number of the run that waits (0: nobody's), and the one that it waits for


class ReentrantCall(RuntimeError):
    @property
    def key(self):
        return self.args[0]


def reachable(number):
    """The runs whose end `number` waits for, itself included."""
    found = {number}
    while more := {b for a, b in waiting if a in found} - found:
        found |= more
    return found


class SingleFlight:
    def __init__(self):
        self._number_of = {}
        self._board = {}
        self._tasks = {}
        self._landed = asyncio.Condition()

    async def do(self, key, fn):
        number, mine = self._number_of.get(key), aboard.get()
        if number is None:
            number = self._number_of[key] = next(numbers)
            self._tasks[number] = asyncio.get_running_loop().create_task(self._run(key, number, fn))
        elif mine and mine in reachable(number):
            raise ReentrantCall(key)
        waiting.append((mine, number))
        try:
            async with self._landed:
                while number not in self._board:
                    await self._landed.wait()
                kind, what = self._board[number]
        finally:
            waiting.remove((mine, number))
            if not any(number == other for _, other in waiting):
                self._tidy(key, number)
        if kind == "error":
            raise what
        return what

    def forget(self, key):
        self._number_of.pop(key, None)

    async def _run(self, key, number, fn):
        aboard.set(number)
        try:
            landed = "value", await fn()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it goes to all callers
            landed = "error", error
        # A task that the run has left behind is nobody's part from now on: no pair has this number first.
        if number not in self._tasks:
            return
        self._release(key, number)
        self._board[number] = landed
        async with self._landed:
            self._landed.notify_all()

    def _tidy(self, key, number):
        task = self._tasks.pop(number)
        if self._board.pop(number, None) is None:
            self._release(key, number)
            task.cancel()

    def _release(self, key, number):
        if self._number_of.get(key) == number:
            del self._number_of[key]
