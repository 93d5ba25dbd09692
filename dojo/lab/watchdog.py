"""Ends code that computes without end.

Virtual time never passes inside a loop that awaits nothing, so this limit is real: user CPU seconds, which a busy
machine does not use up for others, and as a second line a generous number of real seconds for a run that blocks
outside the lab.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from dojo.lab.blame import learner_line
from dojo.lab.errors import NeverFinishes

CPU_LIMIT_S = 3.0
ENDLESS_BEFORE_S = 0.5
"""The limit once a kata's code has been seen to compute without end: its other tests will too, and nobody wants to
wait for each."""
REAL_LIMIT_S = 30.0


@contextlib.contextmanager
def watchdog(
    learner_files: set[str], close: Callable[[], None] | None = None, cpu_limit: float | None = None
) -> Iterator[None]:
    """Raise `NeverFinishes`, naming the learner's line, if the code inside exceeds its limits.

    `close` is called first. Needs interval timers and the main thread; elsewhere (Windows) a run is limited by
    its step budget only.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    cpu_limit = cpu_limit or CPU_LIMIT_S

    def stop(number: int, frame: FrameType | None) -> None:
        if _debugging():
            return  # somebody thinks at a debugger's prompt
        if close is not None:
            close()
        where = learner_line(learner_files, frame)
        spent = f"{cpu_limit:g} s of CPU" if number == signal.SIGVTALRM else f"{REAL_LIMIT_S:g} real seconds"
        raise NeverFinishes(f"never finishes: after {spent} it is still at {where or 'code outside your file'}")

    previous = [(number, signal.signal(number, stop)) for number in (signal.SIGVTALRM, signal.SIGALRM)]
    # The interval repeats, so that code which swallows the first exception meets the next one.
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_limit, 0.5)
    signal.setitimer(signal.ITIMER_REAL, REAL_LIMIT_S, 5.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous:
            signal.signal(number, handler)


def _debugging() -> bool:
    if sys.gettrace() is not None:
        return True
    monitoring = getattr(sys, "monitoring", None)  # Python 3.12: debuggers need no trace function
    return monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None
