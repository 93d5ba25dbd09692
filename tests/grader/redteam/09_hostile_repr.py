"""Speaks to those who read the report, as a value.

Kata: backoff_schedule
Attack: Returns objects whose repr is hostile: markup, a megabyte in one line, or another error.
Status: failed
Points: 0
"""

import itertools

numbers = itertools.count()
TEXTS = ["</pre><script>alert(1)</script>", "x" * 1_000_000, "\ud800\udfff", "=1+1", "\x1b[2J"]


class Value:
    def __repr__(self):
        number = next(numbers)
        if number % 6 == 5:
            raise RuntimeError(TEXTS[0])
        return TEXTS[number % 6]


def attack():
    return Value()


def delay(*args, **options):
    return attack()


Backoff = delay
