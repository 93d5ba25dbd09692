"""Keeps one CircuitOpen and raises it again and again: what an earlier caller holds changes under its hands.

Trap: error-replaced
Rule: 6
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque


class CircuitOpen(Exception):
    def __init__(self, retry_after):
        super().__init__(retry_after)
        self.retry_after = retry_after


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
        if not 0 < failure_rate <= 1:
            raise ValueError("failure_rate is above 0 and at most 1")
        if not (0 < window < math.inf and 0 < open_for < math.inf):
            raise ValueError("window and open_for are positive and finite")
        if minimum_calls < 1 or probes < 1 or successes < 1:
            raise ValueError("minimum_calls, probes and successes are at least 1")
        if slow_after is not None and not slow_after > 0:
            raise ValueError("slow_after is None or positive")
        self.failure_rate = failure_rate
        self.minimum_calls = minimum_calls
        self.window = window
        self.open_for = open_for
        self.probes = probes
        self.successes = successes
        self.slow_after = math.inf if slow_after is None else slow_after
        self.ignore = ignore
        self.on_transition = on_transition
        self.state = "closed"
        self.rejection = CircuitOpen(0.0)
        self.period = 0
        self.record = deque()
        self.opened_at = 0.0
        self.probing = 0
        self.succeeded = 0

    async def call(self, fn):
        period = self.admit()
        began = time.monotonic()
        failed = None
        try:
            value = await fn()
            failed = time.monotonic() - began > self.slow_after
            return value
        except self.ignore:
            raise
        except Exception:
            failed = True
            raise
        finally:
            self.settle(period, failed)

    def admit(self):
        if self.state == "open":
            remaining = self.opened_at + self.open_for - time.monotonic()
            if remaining > 0:
                self.rejection.retry_after = remaining
                raise self.rejection
            self.become("half-open")
        if self.state == "half-open":
            if self.probing >= self.probes:
                raise CircuitOpen(0.0)
            self.probing += 1
        return self.period

    def settle(self, period, failed):
        if period != self.period:
            return
        if self.state == "half-open":
            self.settle_probe(failed)
        elif failed is not None:
            self.settle_call(failed)

    def settle_probe(self, failed):
        self.probing -= 1
        if failed:
            self.become("open")
        elif failed is not None:
            self.succeeded += 1
            if self.succeeded >= self.successes:
                self.become("closed")

    def settle_call(self, failed):
        now = time.monotonic()
        self.record.append((now, failed))
        while now - self.record[0][0] > self.window:
            self.record.popleft()
        if failed and self.is_bad():
            self.become("open")

    def is_bad(self):
        failures = sum(failed for _, failed in self.record)
        return len(self.record) >= self.minimum_calls and failures / len(self.record) >= self.failure_rate

    def become(self, state):
        old, self.state = self.state, state
        self.period += 1
        self.record.clear()
        self.opened_at = time.monotonic()
        self.probing = self.succeeded = 0
        if self.on_transition is not None:
            try:
                self.on_transition(old, state)
            except Exception:
                logging.getLogger(__name__).exception("on_transition failed")
