"""Becomes another program, which succeeds.

Kata: backoff_schedule
Attack: Replaces the process by /bin/true.
Status: error
Points: 0
"""

import os


def attack():
    os.execv("/bin/sh", ["sh", "-c", "exit 0"])


def delay(*args, **options):
    return attack()


Backoff = delay
