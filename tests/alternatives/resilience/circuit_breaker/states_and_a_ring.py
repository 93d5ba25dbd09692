"""An object for each state, which decides about its own calls; the window is a ring of ten counters.

Design: the State pattern. A call leaves by the object that admitted it, and one that is not the present state is not
heard. Time is the event loop's, and memory does not grow with the traffic.

Breaks: none
"""

import asyncio
import contextlib
import logging
import math

SLICES = 10


class CircuitOpen(Exception):
    def __init__(self, retry_after):
        super().__init__(retry_after)
        self.retry_after = retry_after


class Closed:
    name = "closed"

    def __init__(self, breaker):
        self.breaker = breaker
        self.width = breaker.window / SLICES
        self.slices = [[-1, 0, 0] for _ in range(SLICES)]  # number of the slice of time, calls, failures

    def enter(self):
        pass

    def leave(self, good):
        if good is None:
            return
        number = int(asyncio.get_running_loop().time() / self.width)
        current = self.slices[number % SLICES]
        if current[0] != number:
            current[:] = [number, 0, 0]
        current[1] += 1
        current[2] += not good
        recent = [part for part in self.slices if part[0] > number - SLICES]
        calls, failures = sum(part[1] for part in recent), sum(part[2] for part in recent)
        if not good and calls >= self.breaker.minimum_calls and failures >= self.breaker.failure_rate * calls:
            self.breaker.change(Open)


class Open:
    name = "open"

    def __init__(self, breaker):
        self.breaker = breaker
        self.until = asyncio.get_running_loop().time() + breaker.open_for

    def enter(self):
        left = self.until - asyncio.get_running_loop().time()
        if left > 0:
            raise CircuitOpen(left)
        self.breaker.change(HalfOpen)
        self.breaker.now.enter()


class HalfOpen:
    name = "half-open"

    def __init__(self, breaker):
        self.breaker = breaker
        self.room = breaker.probes
        self.missing = breaker.successes

    def enter(self):
        if not self.room:
            raise CircuitOpen(0.0)
        self.room -= 1

    def leave(self, good):
        self.room += 1
        if good is False:
            self.breaker.change(Open)
        elif good:
            self.missing -= 1
            if not self.missing:
                self.breaker.change(Closed)


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
        good = 0 < failure_rate <= 1 and 0 < window < math.inf and 0 < open_for < math.inf
        if not (good and min(minimum_calls, probes, successes) >= 1 and (slow_after is None or slow_after > 0)):
            raise ValueError("a parameter is out of range; see the README")
        self.failure_rate, self.minimum_calls, self.window, self.open_for = (
            failure_rate,
            minimum_calls,
            window,
            open_for,
        )
        self.probes, self.successes, self.slow_after, self.ignore = probes, successes, slow_after, ignore
        self.on_transition = on_transition
        self.now = Closed(self)

    @property
    def state(self):
        return self.now.name

    def change(self, kind):
        old, self.now = self.now, kind(self)
        if self.on_transition:
            try:
                self.on_transition(old.name, self.now.name)
            except Exception:
                logging.exception("on_transition failed")

    @contextlib.contextmanager
    def guarded(self):
        self.now.enter()
        place, loop, good = self.now, asyncio.get_running_loop(), None
        start = loop.time()
        try:
            yield
            good = self.slow_after is None or loop.time() - start <= self.slow_after
        except Exception as error:
            good = None if isinstance(error, self.ignore) else False
            raise
        finally:
            if place is self.now:
                place.leave(good)

    async def call(self, fn):
        with self.guarded():
            return await fn()
