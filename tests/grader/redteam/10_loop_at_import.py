"""Never ends being imported.

Kata: backoff_schedule
Attack: Loops for ever at import.
Status: error or timed-out
Points: 0
"""

while True:
    pass


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
