"""Takes the memory of many processes.

Kata: backoff_schedule
Attack: Eight children allocate up to 2 GB each, and wait for a minute.
Status: failed or error or timed-out
Points: 0
Needs: memory
"""

import os
import signal


def attack():
    children = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            try:
                hoard = [bytearray(b"x") * (64 << 20) for _ in range(32)]
                signal.pause()
                del hoard
            finally:
                os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)


def delay(*args, **options):
    return attack()


Backoff = delay
