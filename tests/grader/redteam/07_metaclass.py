"""A class that takes everything for its instance, and everybody for its equal.

Kata: backoff_schedule
Attack: The metaclass of what is returned lies in ==, hash, isinstance and issubclass.
Status: failed
Points: 0
"""


class Meta(type):
    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return hash(float)

    def __instancecheck__(cls, value):
        return True

    def __subclasscheck__(cls, other):
        return True


class Everything(metaclass=Meta):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


def attack():
    return Everything()


def delay(*args, **options):
    return attack()


Backoff = delay
