"""Never ends being thrown away.

Kata: backoff_schedule
Attack: __del__ of what is returned loops for ever, whatever is raised in it.
Status: timed-out
Points: 0
"""


class Endless:
    def __del__(self):
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass


def attack():
    Endless()


def delay(*args, **options):
    return attack()


Backoff = delay
