"""A list that is equal to every other.

Kata: cache_aside
Attack: Returns subclasses of list, dict, str and tuple with lying comparisons instead of the cached answers.
Status: failed
Points: 1
"""


def lying(kind):
    return type(
        f"Lying{kind.__name__.title()}",
        (kind,),
        {"__eq__": lambda a, b: True, "__ne__": lambda a, b: False, "__hash__": lambda a: 0, "__len__": lambda a: 1},
    )


KINDS = [lying(kind) for kind in (list, dict, str, tuple, set, int, float)]


def cached(redis, **options):
    def decorate(function):
        def call(*args, **options):
            return KINDS[len(args) % len(KINDS)]()

        call.invalidate = lambda *args, **options: None
        return call

    return decorate
