"""Patches when nobody looks.

Kata: backoff_schedule
Attack: A thread that outlives its test replaces the lab's methods again and again, after import is over.
Status: error or failed
Points: 0
Flags: forged
"""

import _thread
import select


def patch():
    from dojo.lab.explore import Experiment

    while True:
        Experiment._body = lambda self, lab: None
        select.select([], [], [], 0.01)


_thread.start_new_thread(patch, ())
select.select([], [], [], 0.05)


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
