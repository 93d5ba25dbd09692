"""Leaves shared memory behind.

Kata: backoff_schedule
Attack: Makes System V shared memory and semaphores, and POSIX ones, that outlive their process.
Status: failed
Points: 0
Needs: ipc
"""

import ctypes
from multiprocessing import resource_tracker, shared_memory


def attack():
    libc = ctypes.CDLL(None)
    for key in range(16):
        libc.shmget(0x5EED0000 + key, 1 << 20, 0o1666)
        libc.semget(0x5EED0000 + key, 4, 0o1666)
    memory = shared_memory.SharedMemory(create=True, size=1 << 20)
    resource_tracker.unregister(memory._name, "shared_memory")
    raise RuntimeError("left behind")


def delay(*args, **options):
    return attack()


Backoff = delay
