"""Is not a module.

Kata: backoff_schedule
Attack: Replaces itself in sys.modules by an object, and the modules of the lab and of pytest by others.
Status: error or failed
Points: 0
"""

import sys
import types


class Everything(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args, **options):
        return self


for name in ("backoff_schedule", "dojo.lab", "dojo.lab.lab", "dojo.lab.report", "pytest", "_pytest.runner"):
    sys.modules[name] = Everything(name)


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
