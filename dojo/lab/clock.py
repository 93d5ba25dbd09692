"""One virtual clock behind ``time``, ``datetime``, ``asyncio`` and the server's expiry.

Nothing in a run waits: sleeping moves this clock. Wall time and monotonic time are kept apart, because real
machines step the wall clock (NTP, a VM resumed from a snapshot) and correct code must survive that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import time_machine

EPOCH_S = 1_700_000_000
"""Where every world begins: 2023-11-14 22:13:20 UTC. Fixed, so that the same run gives the same bytes."""

NS = 1_000_000_000

_MONOTONIC_START_NS = 10_000 * NS
"""Away from zero: `if not self.last_seen` must not pass by accident at the first instant."""


_REAL = {
    name: getattr(time, name) for name in ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep")
}
_installed: list[tuple[Clock, Callable[[float], None]]] = []


# What stands in for the functions of `time` while a world is installed. They ask for the present world at each call,
# because a library that is imported inside a world may keep them for the rest of the process.


def _monotonic() -> float:
    return _installed[-1][0].monotonic() if _installed else _REAL["monotonic"]()


def _monotonic_ns() -> int:
    return _installed[-1][0].monotonic_ns() if _installed else _REAL["monotonic_ns"]()


def _perf_counter() -> float:
    return _installed[-1][0].monotonic() if _installed else _REAL["perf_counter"]()


def _perf_counter_ns() -> int:
    return _installed[-1][0].monotonic_ns() if _installed else _REAL["perf_counter_ns"]()


def _sleep(seconds: float) -> None:
    (_installed[-1][1] if _installed else _REAL["sleep"])(seconds)


_VIRTUAL: dict[str, Callable[..., Any]] = {
    "monotonic": _monotonic,
    "monotonic_ns": _monotonic_ns,
    "perf_counter": _perf_counter,
    "perf_counter_ns": _perf_counter_ns,
    "sleep": _sleep,
}


@contextlib.contextmanager
def _functions(of: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    before = {name: getattr(time, name) for name in of}
    vars(time).update(of)
    try:
        yield
    finally:
        vars(time).update(before)


def real_time() -> contextlib.AbstractContextManager[None]:
    """The interpreter's own functions again, for the lab's own late imports.

    What a library keeps of them is then the same whether it was imported inside a world or long before.
    """
    return _functions(_REAL)


class Clock:
    """Virtual time, in integer nanoseconds since the world began."""

    def __init__(self) -> None:
        self.elapsed_ns = 0
        self._wall_offset_ns = 0
        self._host_error_ns = 0
        self._traveller: time_machine.Traveller | None = None
        self._on_move: list[Callable[[], None]] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the world began."""
        return self.elapsed_ns / NS

    @property
    def wall_ns(self) -> int:
        """The Unix time in nanoseconds: what the server reads, and everybody whose clock is right."""
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

    @contextlib.contextmanager
    def host_error(self, seconds: float) -> Iterator[None]:
        """Inside, whoever asks for the wall time is told one that is wrong by `seconds`; the server is not."""
        error_ns = round(seconds * NS)
        self._host_error_ns += error_ns
        self._travel(error_ns)
        try:
            yield
        finally:
            self._host_error_ns -= error_ns
            self._travel(-error_ns)

    @contextlib.contextmanager
    def on_the_server(self) -> Iterator[None]:
        """While a command is applied: the fake runs in this process, and would read the host's clock."""
        error_ns = self._host_error_ns
        if not error_ns:
            yield
            return
        self._travel(-error_ns)
        try:
            yield
        finally:
            self._travel(error_ns)

    def _shift_wall(self, delta_ns: int) -> None:
        self._travel(delta_ns)
        for callback in self._on_move:
            callback()

    def _travel(self, delta_ns: int) -> None:
        if self._traveller is not None:
            # Whole seconds travel as an int and stay exact; a float of the rest is exact to the nanosecond.
            whole, rest = divmod(delta_ns, NS)
            self._traveller.shift(whole)
            self._traveller.shift(rest / NS)

    @contextlib.contextmanager
    def installed(self, sleep: Callable[[float], None]) -> Iterator[None]:
        """Put this clock behind the interpreter's; `sleep` replaces ``time.sleep``.

        Whoever took `perf_counter` before, as pytest did for its durations, still has the real one.
        """
        with time_machine.travel(EPOCH_S, tick=False) as traveller, _functions(_VIRTUAL):
            self._traveller = traveller
            _installed.append((self, sleep))
            try:
                yield
            finally:
                _installed.pop()
                self._traveller = None
