"""A circuit breaker: stop calling what is down, and find out gently when it is back.

Sources: Michael Nygard, "Release It!" (the pattern); Martin Fowler, "CircuitBreaker";
resilience4j's documentation, "CircuitBreaker" (rates over a window, minimum number of calls, slow calls).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

T = TypeVar("T")

#: What a breaker is: letting all calls through, none, or a few to try.
State = Literal["closed", "open", "half-open"]


class CircuitOpen(Exception):
    """The breaker has rejected a call. `retry_after`: seconds until it is half-open, 0.0 if it is and is full."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"the circuit is not closed; try again in {self.retry_after:.3f} s, or do without"


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
        raise NotImplementedError("CircuitBreaker.__init__ is yours to write; start with rule 16 of README.md")

    @property
    def state(self) -> State:
        """The state as of the last change; once `open_for` is over, "open" or "half-open" until a call comes."""
        raise NotImplementedError("CircuitBreaker.state is yours to write; its rules stand in README.md")

    async def call(self, fn: Callable[[], Awaitable[T]]) -> T:
        """What the awaitable of `fn()` gives, if this call is admitted; what it raises is raised as it is.

        Raises CircuitOpen, without calling `fn`, if the breaker is open or if it is half-open and all probes run.
        """
        raise NotImplementedError("CircuitBreaker.call is yours to write; start with rule 1 of README.md")
