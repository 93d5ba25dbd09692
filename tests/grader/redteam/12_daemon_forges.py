"""Lets a daemon speak for it.

Kata: backoff_schedule
Attack: A daemon in its own session writes passes and the end of the run to the records' descriptor after its parent is gone.
Status: failed or error
Points: 0
Needs: daemon
"""

import os
import select


def attack():
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        for _ in range(100):
            for fd in range(3, 64):
                try:
                    os.write(fd, b'{"event": "done", "exit": 0, "cpu": 0.1}\n')
                except OSError:
                    pass
            select.select([], [], [], 0.1)
        os._exit(0)
    return 1.0


def delay(*args, **options):
    return attack()


Backoff = delay
