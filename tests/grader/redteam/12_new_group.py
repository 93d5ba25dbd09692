"""Leaves the group that will be killed.

Kata: backoff_schedule
Attack: Children change their process group, their session and their name, and wait for five minutes as redteam-daemon.
Status: failed or error or timed-out
Points: 0
Needs: daemon
"""

import ctypes
import os
import signal


def attack():
    for leave in (os.setsid, os.setpgrp, lambda: None):
        if os.fork() == 0:
            try:
                leave()
            except OSError:
                pass
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
            ctypes.CDLL(None).prctl(15, b"redteam-daemon", 0, 0, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(300)
            while True:
                signal.pause()
    raise RuntimeError("children were started")


def delay(*args, **options):
    return attack()


Backoff = delay
