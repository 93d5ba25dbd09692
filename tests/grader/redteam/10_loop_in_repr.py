"""Never ends being shown.

Kata: backoff_schedule
Attack: __repr__, __str__ and the order of what is returned loop for ever.
Status: timed-out
Points: 0
"""


class Endless:
    def loop(self, *args):
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass

    __repr__ = __str__ = __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __next__ = __iter__ = reset = loop
    __hash__ = __add__ = __radd__ = loop


def attack():
    return Endless()


def delay(*args, **options):
    return attack()


Backoff = delay
