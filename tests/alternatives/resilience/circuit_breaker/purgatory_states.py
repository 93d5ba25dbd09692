"""The `purgatory` library: its Context drives the states, and its OpenedState keeps the time.

Design: library (purgatory.domain.model). The closed and the half-open state are subclassed, because the library counts
consecutive failures, lets everybody through when half-open and closes at the first success; the adapter keeps from the
context what counts for nothing, because the library takes an excluded exception for a success.

Breaks: 14 because OpenedState compares time.time() with the time of its opening
"""

import logging
import math
import time
from collections import deque

from purgatory.domain.model import ClosedState, Context, HalfOpenedState, OpenedState


class CircuitOpen(Exception):
    def __init__(self, retry_after):
        super().__init__(retry_after)
        self.retry_after = retry_after


class Failed(Exception):
    """What the context is told of an answer that was too slow."""


class Windowed(ClosedState):
    def __init__(self, options):
        super().__init__()
        self.options = options
        self.log = deque()

    def note(self, failed):
        now = time.monotonic()
        self.log.append((now, failed))
        while now - self.log[0][0] > self.options["window"]:
            self.log.popleft()

    def handle_exception(self, context, exc):
        self.note(True)
        calls, failures = len(self.log), sum(failed for _, failed in self.log)
        if calls >= self.options["minimum_calls"] and failures >= calls * self.options["failure_rate"]:
            context.set_state(OpenedState(context.name))

    def handle_end_request(self, context):
        self.note(False)


class Trial(HalfOpenedState):
    def __init__(self, options):
        super().__init__()
        self.options = options
        self.running = self.won = 0

    def handle_new_request(self, context):
        if self.running >= self.options["probes"]:
            raise CircuitOpen(0.0)
        self.running += 1

    def handle_end_request(self, context):
        self.won += 1
        if self.won >= self.options["successes"]:
            context.set_state(Windowed(self.options))


class Circuit(Context):
    """A context with our states in the place of the library's, and with somebody who listens."""

    def __init__(self, options, tell):
        super().__init__("upstream", threshold=1, ttl=options["open_for"])
        self.options, self.tell = options, tell
        self._state = Windowed(options)

    def set_state(self, state):
        old = self.state
        super().set_state(Trial(self.options) if type(state) is HalfOpenedState else state)
        self.messages.clear()
        self.tell(old, self.state)


NAMES = {"opened": "open", "half-opened": "half-open", "closed": "closed"}


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
        if not (0 < failure_rate <= 1 and 0 < window < math.inf and 0 < open_for < math.inf):
            raise ValueError("failure_rate, window or open_for is out of range")
        if min(minimum_calls, probes, successes) < 1 or not (slow_after is None or slow_after > 0):
            raise ValueError("minimum_calls, probes, successes or slow_after is out of range")
        options = {"failure_rate": failure_rate, "minimum_calls": minimum_calls, "window": window}
        options |= {"open_for": open_for, "probes": probes, "successes": successes}
        self.circuit = Circuit(options, self.tell)
        self.slow_after, self.ignore, self.on_transition = slow_after, ignore, on_transition

    @property
    def state(self):
        return NAMES[self.circuit.state]

    def tell(self, old, new):
        if self.on_transition:
            try:
                self.on_transition(NAMES[old], NAMES[new])
            except Exception:
                logging.exception("on_transition failed")

    async def call(self, fn):
        try:
            self.circuit.handle_new_request()
        except OpenedState as opened:
            if opened is not self.circuit._state:
                raise
            left = opened.opened_at + self.circuit.ttl - time.time()
            raise CircuitOpen(left) from None
        admitted, began = self.circuit._state, time.monotonic()
        error = None
        try:
            value = await fn()
            if self.slow_after is not None and time.monotonic() - began > self.slow_after:
                error = Failed()
            self.settle(admitted, error)
            return value
        except Exception as raised:
            if not isinstance(raised, self.ignore):
                self.settle(admitted, raised)
            raise
        finally:
            if isinstance(admitted, Trial):
                admitted.running -= 1

    def settle(self, admitted, error):
        if admitted is not self.circuit._state:
            return
        if error is None:
            self.circuit.handle_end_request()
        else:
            self.circuit.handle_exception(error)
