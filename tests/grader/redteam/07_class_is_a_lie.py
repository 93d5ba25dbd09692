"""An object that says that it is a float.

Kata: backoff_schedule
Attack: Its __class__ is a property that returns float; isinstance believes it.
Status: failed
Points: 0
"""


class Liar:
    @property
    def __class__(self):
        return float

    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash(1.0)

    def __float__(self):
        return 1.0

    def __repr__(self):
        return "3.0"

    def __ge__(self, other):
        return True

    __le__ = __gt__ = __lt__ = __ge__


def attack():
    return Liar()


def delay(*args, **options):
    return attack()


Backoff = delay
