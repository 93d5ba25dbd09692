"""Waits for a child that never ends.

Kata: backoff_schedule
Attack: Starts a process that sleeps for ten minutes, and waits for it, whatever is raised.
Status: timed-out or failed
Points: 0
"""

import subprocess
import sys


def attack():
    child = subprocess.Popen([sys.executable, "-c", "import select; select.select([], [], [], 600)"])
    while True:
        try:
            return child.wait()
        except BaseException:
            pass


def delay(*args, **options):
    return attack()


Backoff = delay
