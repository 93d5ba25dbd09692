"""Says that it is done with a number that no integer can hold.

Kata: backoff_schedule
Attack: Writes a record whose exit code is 1e999 to the pipe of the records at import: whoever reads it meets an OverflowError.
Status: error
Points: 0
"""

import os


def send(*lines):
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and "pipe" in os.path.realpath(f"/proc/self/fd/{name}"):
            for line in lines:
                os.write(int(name), line + b"\n")
    os._exit(1)


send(b'{"event": "done", "exit": 1e999, "cpu": 0}')


def delay(*args, **options):
    raise NotImplementedError


Backoff = delay
