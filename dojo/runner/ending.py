"""When a process has to end, so does what it has started."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def die_with_parent() -> None:
    """Linux ends this process when its parent does, also by `kill -9`. Elsewhere its own limits end it."""
    if sys.platform != "linux":
        return
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it died just before
        os._exit(1)


def leave_on_sigterm() -> None:
    """From now on SIGTERM unwinds this process, so that whatever is running in a child is ended on the way."""
    signal.signal(signal.SIGTERM, leave)


def leave(number: int, frame: FrameType | None) -> None:
    """A signal handler that unwinds."""
    sys.exit(128 + number)
