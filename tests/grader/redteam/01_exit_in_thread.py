"""A thread ends the interpreter while the function under test is still busy.

Kata: backoff_schedule
Attack: Starts a thread that calls os._exit(0), and waits for it.
Status: error
Points: 0
"""

import os
import threading


def attack():
    threading.Thread(target=os._exit, args=(0,)).start()
    while True:
        pass


def delay(*args, **options):
    return attack()


Backoff = delay
