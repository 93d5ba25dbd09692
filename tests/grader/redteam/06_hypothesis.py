"""Properties are checked on no example.

Kata: backoff_schedule
Attack: Replaces Hypothesis' engine by one that draws nothing.
Status: error or failed
Points: 0
"""

import hypothesis.core


def run_engine(self):
    self.ever_executed = True


hypothesis.core.StateForActualGivenExecution.run_engine = run_engine
hypothesis.core.execute_explicit_examples = lambda *args, **options: iter(())


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
