"""No clock is read to decide anything: the event loop's timers forget outcomes and begin the trial.

Design: timers and semaphores. Each outcome on record has a timer that takes it off again; a timer turns open into
half-open, whether anybody calls or not; room is an asyncio.Semaphore of the half-open time.

Breaks: none
"""

import asyncio
import collections
import logging


class CircuitOpen(Exception):
    def __init__(self, retry_after):
        super().__init__(retry_after)
        self.retry_after = retry_after


def check(ok, name):
    if not ok:
        raise ValueError(f"{name} is out of range")


class CircuitBreaker:
    def __init__(
        self,
        *,
        failure_rate=0.5,
        minimum_calls=10,
        window=60.0,
        open_for=30.0,
        probes=1,
        successes=1,
        slow_after=None,
        ignore=(),
        on_transition=None,
    ):
        check(0 < failure_rate <= 1, "failure_rate")
        check(0 < window < float("inf"), "window")
        check(0 < open_for < float("inf"), "open_for")
        check(slow_after is None or slow_after > 0, "slow_after")
        for name, number in (("minimum_calls", minimum_calls), ("probes", probes), ("successes", successes)):
            check(number >= 1, name)
        self.failure_rate, self.minimum_calls, self.window = failure_rate, minimum_calls, window
        self.open_for, self.probes, self.successes = open_for, probes, successes
        self.slow_after, self.ignore, self.on_transition = slow_after, ignore, on_transition
        self.state = "closed"
        self.begin()

    def begin(self):
        """A new life: what belonged to the old one stays with it."""
        self.life = collections.Counter()
        self.room = asyncio.Semaphore(self.probes)
        self.alarm = None

    def turn(self, state):
        old, self.state = self.state, state
        self.begin()
        if state == "open":
            self.alarm = asyncio.get_running_loop().call_later(self.open_for, self.turn, "half-open")
        if self.on_transition is not None:
            try:
                self.on_transition(old, state)
            except Exception:
                logging.exception("a listener failed")

    async def call(self, fn):
        loop = asyncio.get_running_loop()
        if self.state == "open":
            raise CircuitOpen(self.alarm.when() - loop.time())
        if self.state == "half-open":
            if self.room.locked():
                raise CircuitOpen(0.0)
            await self.room.acquire()  # returns at once
        life, room = self.life, self.room
        slow = []
        timer = None if self.slow_after is None else loop.call_later(self.slow_after, slow.append, True)
        outcome = "nothing"
        try:
            awaitable = fn()
            value = await awaitable
            outcome = "failed" if slow else "ok"
            return value
        except Exception as error:
            if not isinstance(error, self.ignore):
                outcome = "failed"
            raise
        finally:
            if timer is not None:
                timer.cancel()
            room.release()
            if life is self.life and outcome != "nothing":
                self.settle(life, outcome)

    def settle(self, life, outcome):
        life[outcome] += 1
        if self.state == "half-open":
            if outcome == "failed":
                self.turn("open")
            elif life["ok"] == self.successes:
                self.turn("closed")
            return
        asyncio.get_running_loop().call_later(self.window, life.subtract, [outcome])
        calls = life["ok"] + life["failed"]
        if outcome == "failed" and calls >= self.minimum_calls and life["failed"] >= calls * self.failure_rate:
            self.turn("open")
