"""Looks through the eyes of other processes.

Kata: backoff_schedule
Attack: Reads solutions by way of /proc/PID/cwd, /proc/PID/root and /proc/PID/fd of every process.
Status: failed
Points: 0
"""

import contextlib
import glob


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError


for place in glob.glob("/proc/[0-9]*/cwd") + glob.glob("/proc/[0-9]*/root/work/main"):
    with contextlib.suppress(OSError):
        with open(f"{place}/solutions/resilience/backoff_schedule.py", encoding="utf-8") as file:
            exec(file.read())
for place in glob.glob("/proc/[0-9]*/fd/*"):
    with contextlib.suppress(OSError, ValueError, SyntaxError):
        if glob.os.path.isfile(place):
            with open(place, encoding="utf-8") as file:
                text = file.read(1 << 20)
            if "def _ceiling" in text and "glob.glob" not in text:
                exec(text)
