"""What is returned ends the interpreter when it is thrown away.

Kata: backoff_schedule
Attack: __del__ of each returned object calls os._exit(0).
Status: error or failed
Points: 0
"""

import os


class Bomb:
    def __del__(self):
        os._exit(0)


def attack():
    return Bomb()


def delay(*args, **options):
    return attack()


Backoff = delay
