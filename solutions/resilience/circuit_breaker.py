"""A circuit breaker: stop calling what is down, and find out gently when it is back.

Sources: Michael Nygard, "Release It!" (the pattern); Martin Fowler, "CircuitBreaker";
resilience4j's documentation, "CircuitBreaker" (rates over a window, minimum number of calls, slow calls).
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

T = TypeVar("T")

#: What a breaker is: letting all calls through, none, or a few to try.
State = Literal["closed", "open", "half-open"]

_log = logging.getLogger(__name__)


class CircuitOpen(Exception):
    """The breaker has rejected a call. `retry_after`: seconds until it is half-open, 0.0 if it is and is full."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"the circuit is not closed; try again in {self.retry_after:.3f} s, or do without"


@dataclass(eq=False)
class _Period:
    """The time between two changes of state, with all that is known of it.

    A call keeps the period that admitted it. So a late result is told from one that speaks of the present, and nothing
    has to be set back when the state changes.
    """

    state: State
    since: float
    outcomes: deque[tuple[float, bool]] = field(default_factory=deque)  # when each call ended, and whether it failed
    failures: int = 0  # how many of them did, so that nobody has to count
    probing: int = 0
    succeeded: int = 0


class CircuitBreaker:
    """Guards the calls to one upstream. Use it from one event loop; the constructor needs none.

    failure_rate: the share of failed calls, above 0 and at most 1, from which on it opens.
    minimum_calls: with fewer calls than this in the window it does not open, at least 1.
    window: seconds for which the outcome of a call counts, positive and finite.
    open_for: seconds that it stays open before it tries, positive and finite.
    probes: calls that may run at the same time while it tries, at least 1.
    successes: probes that must succeed before it closes, at least 1.
    slow_after: seconds, positive; a call that takes longer counts as failed. None: no call is slow.
    ignore: exceptions of these types, and of their subclasses, say nothing about the upstream.
    on_transition: called with the old and the new state at each change.

    Raises ValueError for anything else.
    """

    # stub: rule 16
    def __init__(
        self,
        *,
        failure_rate: float = 0.5,
        minimum_calls: int = 10,
        window: float = 60.0,
        open_for: float = 30.0,
        probes: int = 1,
        successes: int = 1,
        slow_after: float | None = None,
        ignore: tuple[type[Exception], ...] = (),
        on_transition: Callable[[State, State], None] | None = None,
    ) -> None:
        # Asked as "is it right?", because every comparison with NaN is False.
        if not 0 < failure_rate <= 1:
            raise ValueError(f"failure_rate is a share above 0 and at most 1, not {failure_rate!r}")
        if not (0 < window < math.inf and 0 < open_for < math.inf):
            raise ValueError(f"window and open_for are positive, finite seconds, not {window!r} and {open_for!r}")
        if minimum_calls < 1 or probes < 1 or successes < 1:
            raise ValueError("minimum_calls, probes and successes are at least 1")
        if slow_after is not None and not slow_after > 0:
            raise ValueError(f"slow_after is None or positive seconds, not {slow_after!r}")
        self._failure_rate = failure_rate
        self._minimum_calls = minimum_calls
        self._window = window
        self._open_for = open_for
        self._probes = probes
        self._successes = successes
        self._slow_after = math.inf if slow_after is None else slow_after
        self._ignore = ignore
        self._on_transition = on_transition
        self._period = _Period("closed", time.monotonic())

    @property
    def state(self) -> State:
        """The state as of the last change; once `open_for` is over, "open" or "half-open" until a call comes."""
        return self._period.state

    # stub: rule 1
    async def call(self, fn: Callable[[], Awaitable[T]]) -> T:
        """What the awaitable of `fn()` gives, if this call is admitted; what it raises is raised as it is.

        Raises CircuitOpen, without calling `fn`, if the breaker is open or if it is half-open and all probes run.
        """
        period = self._admit()
        began = time.monotonic()
        failed: bool | None = None  # cancelled or ignored: the call says nothing about the upstream
        try:
            value = await fn()
            failed = time.monotonic() - began > self._slow_after
            return value
        except self._ignore:
            raise
        except Exception:
            failed = True
            raise
        finally:
            self._settle(period, failed)

    def _admit(self) -> _Period:
        """The period that this call belongs to. Nothing between here and the call awaits, so no two share a place."""
        if self._period.state == "open":
            remaining = self._period.since + self._open_for - time.monotonic()
            if remaining > 0:
                raise CircuitOpen(remaining)
            self._become("half-open")
        period = self._period
        if period.state == "half-open":
            if period.probing >= self._probes:
                raise CircuitOpen(0.0)
            period.probing += 1
        return period

    def _settle(self, period: _Period, failed: bool | None) -> None:
        if period is not self._period:
            return
        if period.state == "half-open":
            self._settle_probe(period, failed)
        elif failed is not None:
            self._record(period, failed)

    def _settle_probe(self, period: _Period, failed: bool | None) -> None:
        period.probing -= 1
        if failed:
            self._become("open")
        elif failed is not None:
            period.succeeded += 1
            if period.succeeded >= self._successes:
                self._become("closed")

    def _record(self, period: _Period, failed: bool) -> None:
        now = time.monotonic()
        period.outcomes.append((now, failed))
        period.failures += failed
        while now - period.outcomes[0][0] > self._window:
            period.failures -= period.outcomes.popleft()[1]
        total = len(period.outcomes)
        if failed and total >= self._minimum_calls and period.failures / total >= self._failure_rate:
            self._become("open")

    def _become(self, state: State) -> None:
        old = self._period.state
        self._period = _Period(state, time.monotonic())
        if self._on_transition is not None:
            try:
                self._on_transition(old, state)
            except Exception:  # noqa: BLE001 - who watches must not decide: the upstream's answer is at hand
                _log.exception("on_transition(%r, %r) failed", old, state)
