"""One virtual clock behind ``time``, ``datetime``, ``asyncio`` and the server's expiry.

Nothing in a run waits: sleeping moves this clock. Wall time and monotonic time are kept apart, because real
machines step the wall clock (NTP, a VM resumed from a snapshot) and correct code must survive that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import time_machine

EPOCH_S = 1_700_000_000
"""Where every world begins: 2023-11-14 22:13:20 UTC. Fixed, so that the same run gives the same bytes."""

NS = 1_000_000_000

_MONOTONIC_START_NS = 10_000 * NS
"""Away from zero: `if not self.last_seen` must not pass by accident at the first instant."""


_REAL = time.monotonic, time.monotonic_ns, time.sleep


@contextlib.contextmanager
def real_time() -> Iterator[None]:
    """The interpreter's own clock again: for an import inside a world, since many a library keeps `time.sleep` itself.

    What it binds then would be this world's, for the rest of the process.
    """
    virtual = time.monotonic, time.monotonic_ns, time.sleep
    time.monotonic, time.monotonic_ns, time.sleep = _REAL
    try:
        yield
    finally:
        time.monotonic, time.monotonic_ns, time.sleep = virtual


class Clock:
    """Virtual time, in integer nanoseconds since the world began."""

    def __init__(self) -> None:
        self.elapsed_ns = 0
        self._wall_offset_ns = 0
        self._traveller: time_machine.Traveller | None = None
        self._on_move: list[Callable[[], None]] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the world began."""
        return self.elapsed_ns / NS

    @property
    def wall_ns(self) -> int:
        """The Unix time in nanoseconds that everybody in this world reads."""
        return EPOCH_S * NS + self.elapsed_ns + self._wall_offset_ns

    def monotonic(self) -> float:
        return (_MONOTONIC_START_NS + self.elapsed_ns) / NS

    def monotonic_ns(self) -> int:
        return _MONOTONIC_START_NS + self.elapsed_ns

    def on_move(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each move of the clock (a real server's clock follows this way)."""
        self._on_move.append(callback)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass, rounded to the nanosecond; a positive amount always moves the clock."""
        if seconds > 0:
            self.advance_ns(max(1, round(seconds * NS)))

    def advance_ns(self, delta_ns: int) -> None:
        self.elapsed_ns += delta_ns
        self._shift_wall(delta_ns)

    def step_wall(self, seconds: float) -> None:
        """Step the wall clock as NTP does; monotonic time does not notice."""
        delta_ns = round(seconds * NS)
        self._wall_offset_ns += delta_ns
        self._shift_wall(delta_ns)

    def _shift_wall(self, delta_ns: int) -> None:
        if self._traveller is not None:
            # Whole seconds travel as an int and stay exact; a float of the rest is exact to the nanosecond.
            whole, rest = divmod(delta_ns, NS)
            self._traveller.shift(whole)
            self._traveller.shift(rest / NS)
        for callback in self._on_move:
            callback()

    @contextlib.contextmanager
    def installed(self, sleep: Callable[[float], None]) -> Iterator[None]:
        """Put this clock behind the interpreter's; `sleep` replaces ``time.sleep``.

        ``perf_counter`` stays real, so that profilers and pytest's own durations still work.
        """
        real = time.monotonic, time.monotonic_ns, time.sleep
        with time_machine.travel(EPOCH_S, tick=False) as traveller:
            self._traveller = traveller
            time.monotonic, time.monotonic_ns, time.sleep = self.monotonic, self.monotonic_ns, sleep  # type: ignore[assignment]
            try:
                yield
            finally:
                time.monotonic, time.monotonic_ns, time.sleep = real
                self._traveller = None
