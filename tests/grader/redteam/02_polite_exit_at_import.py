"""An exit that does not look like one.

Kata: backoff_schedule
Attack: Raises a subclass of SystemExit and of GeneratorExit at import.
Status: error
Points: 0
"""


class Finished(SystemExit, GeneratorExit):
    code = 0


raise Finished


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
