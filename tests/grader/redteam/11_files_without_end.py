"""Uses up the names, not the bytes.

Kata: backoff_schedule
Attack: Makes 50,000 empty files and a thousand nested directories in /tmp.
Status: failed or error or timed-out
Points: 0
Needs: disk
"""

import os
import tempfile


def attack():
    folder = tempfile.mkdtemp(prefix="redteam-")
    for number in range(50_000):
        os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_WRONLY))
    for _ in range(1000):
        os.mkdir("d")
        os.chdir("d")


def delay(*args, **options):
    return attack()


Backoff = delay
