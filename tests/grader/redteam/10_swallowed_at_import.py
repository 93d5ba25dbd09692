"""Never ends being imported, whatever is raised.

Kata: backoff_schedule
Attack: Loops for ever at import inside `except BaseException: pass`.
Status: timed-out
Points: 0
"""

while True:
    try:
        while True:
            pass
    except BaseException:
        pass


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
