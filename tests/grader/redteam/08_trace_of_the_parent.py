"""Attaches to who started it.

Kata: backoff_schedule
Attack: Calls ptrace and process_vm_readv on its parent; says so in its error if either is allowed.
Status: failed
Points: 0
"""

import ctypes
import os


def attack():
    libc = ctypes.CDLL(None, use_errno=True)
    if os.getppid() > 1 and libc.ptrace(16, os.getppid(), None, None) == 0:
        libc.ptrace(17, os.getppid(), None, None)
        raise RuntimeError("HARM: attached to the parent")
    raise RuntimeError("nothing was reached")


def delay(*args, **options):
    return attack()


Backoff = delay
