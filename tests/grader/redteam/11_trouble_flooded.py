"""Complains without end.

Kata: backoff_schedule
Attack: Says 15 MB of trouble in records of half a megabyte: each test's message would be all of it, a gigabyte in the journal.
Status: error
Points: 0
"""

import json
import os


def send(*lines):
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and "pipe" in os.path.realpath(f"/proc/self/fd/{name}"):
            for line in lines:
                os.write(int(name), line + b"\n")
    os._exit(1)


SAID = json.dumps({"event": "trouble", "message": "é" * 250_000}, ensure_ascii=False).encode()
send(*[SAID] * 30, b'{"event": "done", "exit": 3, "cpu": 0}')


def delay(*args, **options):
    raise NotImplementedError


Backoff = delay
