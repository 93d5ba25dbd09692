"""Never ends being explained.

Kata: backoff_schedule
Attack: Raises an error whose __str__ loops for ever.
Status: timed-out or failed
Points: 0
"""


class Endless(Exception):
    def __str__(self):
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass


def attack():
    raise Endless


def delay(*args, **options):
    return attack()


Backoff = delay
