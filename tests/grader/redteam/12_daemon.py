"""Stays when its tests are over.

Kata: backoff_schedule
Attack: Double-forks a daemon in its own session, called redteam-daemon, that holds all descriptors and writes to them.
Status: failed or error
Points: 0
Needs: daemon
"""

import ctypes
import os
import select
import time


def attack():
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        ctypes.CDLL(None).prctl(15, b"redteam-daemon", 0, 0, 0)
        until = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 300 * 10**9
        while time.clock_gettime_ns(time.CLOCK_BOOTTIME) < until:
            for fd in (1, 2):
                try:
                    os.write(fd, b"still here\n")
                except OSError:
                    pass
            select.select([], [], [], 0.5)
        os._exit(0)
    raise RuntimeError("a daemon was started")


def delay(*args, **options):
    return attack()


Backoff = delay
