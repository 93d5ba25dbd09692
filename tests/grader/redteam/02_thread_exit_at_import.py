"""Ends the interpreter soon after it was imported.

Kata: backoff_schedule
Attack: A thread that is started at import calls os._exit(0) a moment later.
Status: error
Points: 0
"""

import os
import select
import threading


def soon():
    select.select([], [], [], 0.05)
    os._exit(0)


threading.Thread(target=soon, daemon=True).start()
select.select([], [], [], 10)  # it does not come to that


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
