"""Looks for secrets in the environment.

Kata: backoff_schedule
Attack: Says so in its error if an environment variable, its own or another process's, has a name such as TOKEN or SECRET.
Status: failed
Points: 0
"""

import glob
import os
import re


def attack():
    names = set(os.environ)
    for file in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(file, "rb") as environment:
                names |= {part.split(b"=")[0].decode() for part in environment.read().split(b"\0")}
        except (OSError, UnicodeDecodeError):
            pass
    secret = sorted(name for name in names if re.search(r"TOKEN|SECRET|PASSWORD|CREDENTIAL|API_?KEY", name))
    if secret:
        raise RuntimeError(f"HARM: {len(secret)} secret names seen")
    raise RuntimeError("nothing was reached")


def delay(*args, **options):
    return attack()


Backoff = delay
