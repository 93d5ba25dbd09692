"""Randomness that repeats: the same run draws the same numbers, tokens and UUIDs, and prints the same bytes.

A learner's lock token from ``uuid4`` or ``secrets`` shows in the timeline; with the system's entropy no two reports
of one bug would be equal, and a schedule could not be replayed exactly.
"""

from __future__ import annotations

import contextlib
import os
import random
import uuid
from collections.abc import Iterator

SEED = 20_231_114
"""Arbitrary and fixed (the day on which every world begins)."""


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Seed ``random``, and put a seeded source behind ``os.urandom`` and all that is built on it."""
    source = random.Random(SEED)
    state = random.getstate()
    real = os.urandom
    handle = vars(random)  # SystemRandom, and so `secrets`, has its own reference
    node = uuid.getnode
    uuid.getnode = lambda: SEED  # the machine's own address would show in each uuid1
    random.seed(SEED)
    os.urandom = handle["_urandom"] = source.randbytes
    try:
        yield
    finally:
        os.urandom = handle["_urandom"] = real
        uuid.getnode = node
        random.setstate(state)
