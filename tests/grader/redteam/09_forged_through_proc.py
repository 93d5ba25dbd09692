"""Forges records where it has no descriptor.

Kata: backoff_schedule
Attack: Opens /proc/PID/fd of itself and its parent by name and writes passes and an end there.
Status: error
Points: 0
Needs: processes
"""

import glob
import os

DONE = b'{"event": "done", "exit": 0, "cpu": 0.1}\n'


def attack():
    for place in glob.glob(f"/proc/{os.getppid()}/fd/*") + glob.glob("/proc/self/fd/*"):
        try:
            if os.path.realpath(place).split("/")[-1].startswith("pipe"):
                fd = os.open(place, os.O_WRONLY | os.O_NONBLOCK)
                os.write(fd, DONE)
        except OSError:
            pass
    os._exit(0)


def delay(*args, **options):
    return attack()


Backoff = delay
