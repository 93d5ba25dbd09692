"""Threads that run one at a time are kept on one CPU.

Handing the baton to a thread on another CPU means waking that CPU and waiting for the interpreter's lock; on the same
CPU it is a mere switch. Races of synchronous clients take two thirds of the time. Where a thread cannot be moved
(only Linux and some BSDs let it), nothing is.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator


def _asked() -> Callable[[], int] | None:
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        os.sched_setaffinity(0, os.sched_getaffinity(0))  # some sandboxes forbid it
        current: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
        current()
    except (OSError, AttributeError):
        return None
    return current


_CURRENT = _asked()


@contextlib.contextmanager
def staying_here() -> Iterator[int | None]:
    """While this lasts, the calling thread stays on its present CPU: the number for `move_to`."""
    if _CURRENT is None:
        yield None
        return
    before = os.sched_getaffinity(0)
    cpu = _CURRENT()  # where the kernel has put us: it spreads the processes of a machine
    move_to(cpu)
    try:
        yield cpu
    finally:
        os.sched_setaffinity(0, before)


def move_to(cpu: int | None) -> None:
    """Keep the calling thread on a CPU that `staying_here` has named."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
