"""Takes memory that is nobody's.

Kata: backoff_schedule
Attack: Fills files in memory (memfd), which no limit counts: 256 descriptors of 64 MB each, in each of 64 processes.
Status: error
Points: 0
Needs: memory
"""

import os

for _ in range(4):
    os.write(os.memfd_create("hoard"), b"x" * (16 << 20))
raise RuntimeError("HARM: 64 MB that no limit has counted")


def delay(*args, **options):
    raise NotImplementedError


Backoff = delay
