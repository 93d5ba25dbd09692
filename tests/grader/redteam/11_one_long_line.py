"""Prints one line.

Kata: backoff_schedule
Attack: Prints 16 MB without a line's end, and logs and warns as much.
Status: error or failed
Points: 0
"""

import logging
import warnings


def attack():
    text = "x" * (16 << 20)
    print(text, end="", flush=True)
    logging.warning(text)
    warnings.warn(text, stacklevel=1)
    raise RuntimeError("printed")


def delay(*args, **options):
    return attack()


Backoff = delay
