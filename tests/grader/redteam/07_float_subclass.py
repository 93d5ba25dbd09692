"""A float that is equal to every other.

Kata: backoff_schedule
Attack: Returns instances of a subclass of float with lying comparisons.
Status: failed
Points: 0
"""


class Float(float):
    def yes(self, other):
        return True

    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = yes
    __hash__ = float.__hash__

    def __ne__(self, other):
        return False

    def __iter__(self):
        return self

    __next__ = __iter__


def attack():
    return Float(1.0)


def delay(*args, **options):
    return attack()


Backoff = delay
