"""User ids for submissions, where we are root.

The kernel counts processes by user on the whole machine. Two batches that shared one would share that limit: a fork
bomb in the one would leave an honest submission in the other without a thread. So each process that grades claims some.
"""

from __future__ import annotations

import functools
import socket
import sys

from dojo.grader.model import GraderError

EACH = 64
"""Ids of one claim, and the most cells that one process may have."""
_FIRST = 61_000
_CLAIMS = 60
_HELD: list[socket.socket] = []


@functools.cache
def claimed() -> int:
    """The first of this process's `EACH` ids, which nobody else on this machine grades with while it lives.

    Raises GraderError if there are none left.
    """
    if sys.platform != "linux":
        return _FIRST
    for number in range(_CLAIMS):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0dojo-users-{number}")  # a name without a file: the kernel frees it with the last holder
        except OSError:
            name.close()
            continue
        _HELD.append(name)
        return _FIRST + EACH * number
    raise GraderError(f"{_CLAIMS} batches and workers are grading on this machine. Wait until one of them is done.")
