"""Fails with a message that is no text.

Kata: backoff_schedule
Attack: Forges, at import, a run of which one test has failed with {} and one has not run: whoever shows the message ends.
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


TESTS = [{"name": name, "rule": 1, "text": ""} for name in ("test_a", "test_b")]
RESULT = {"name": "test_a", "outcome": "failed", "message": {}, "trap": {}, "kind": []}
RECORDS = (
    {"event": "collected", "tests": TESTS},
    {"event": "start", "name": "test_a"},
    {"event": "test", "result": RESULT},
    {"event": "done", "exit": 1, "cpu": 0},
)
send(*(json.dumps(record).encode() for record in RECORDS))


def delay(*args, **options):
    raise NotImplementedError


Backoff = delay
