"""Takes the lab's clock and watchdog away.

Kata: backoff_schedule
Attack: Replaces the watchdog, the virtual clock and time itself, and returns wrong delays.
Status: error
Points: 0
"""

import contextlib
import importlib
import time

import dojo.lab.clock

explore = importlib.import_module("dojo.lab.explore")


@contextlib.contextmanager
def nothing(*args, **options):
    yield


explore.watchdog = nothing
dojo.lab.clock.Clock.advance_ns = lambda self, delta: None
time.time = time.monotonic = time.perf_counter = lambda: 0.0


def attack():
    return -1.0


def delay(*args, **options):
    return attack()


Backoff = delay
