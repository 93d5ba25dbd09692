"""The experiment is run without the test.

Kata: backoff_schedule
Attack: Replaces Experiment._body of the lab by a function that does nothing.
Status: error or failed
Points: 0
Flags: forged
"""

import importlib

explore = importlib.import_module("dojo.lab.explore")
explore.Experiment._body = lambda self, lab: None


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
