"""What a test process does to itself before it runs anybody's code."""

from __future__ import annotations

import contextlib
import math
import os
import time

from dojo.runner.results import Limits


def apply_limits(limits: Limits) -> None:
    """Sets the kernel's limits for this process, where there are any. They outlast a lost parent."""
    try:
        import resource
    except ImportError:  # not a POSIX system: the parent's own limits remain
        return
    # The kernel counts from the start of the process; what was imported before is not the tests' doing.
    spent = math.ceil(time.process_time())
    for name, value in (
        (resource.RLIMIT_CPU, spent + limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, 2 * limits.output_bytes),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(name)
        soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses RLIMIT_AS
            resource.setrlimit(name, (soft, hard))


def write_all(fd: int, data: bytes) -> None:
    """Writes to a pipe whose reader may be slow."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
