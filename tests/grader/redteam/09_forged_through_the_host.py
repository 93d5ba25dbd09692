"""Answers for the process that forked it.

Kata: backoff_schedule
Attack: Writes a complete green result to the pipes of its parent, found in /proc, and kills it before it can say otherwise.
Status: error or failed
Points: 0
Needs: processes
"""

import glob
import json
import os
import signal

TESTS = [{"name": f"test_{n}", "rule": n, "text": "easy", "outcome": "passed"} for n in range(17)]
RESULT = {"kata": "backoff_schedule", "status": "green", "tests": TESTS, "cpu_seconds": 0.1, "wall_seconds": 0.1}


def attack():
    parent = os.getppid()
    for place in glob.glob(f"/proc/{parent}/fd/*") if parent > 1 else ():
        try:
            if os.readlink(place).startswith("pipe:"):
                os.write(os.open(place, os.O_WRONLY | os.O_NONBLOCK), json.dumps([RESULT]).encode())
        except OSError:
            pass
    if parent > 1:
        try:
            os.kill(parent, signal.SIGKILL)
        except OSError:
            pass
    raise RuntimeError("answered where it could be answered")


def delay(*args, **options):
    return attack()


Backoff = delay
