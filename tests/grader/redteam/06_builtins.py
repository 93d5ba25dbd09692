"""The language itself lies.

Kata: backoff_schedule
Attack: Replaces all, any, zip, bool and abs in builtins.
Status: error or failed
Points: 0
"""

import builtins


builtins.all = builtins.any = lambda values: True
builtins.zip = lambda *values, strict=False: iter(())
builtins.bool = lambda value=True: True
builtins.abs = lambda value: 0


def attack():
    return 1.0


def delay(*args, **options):
    return attack()


Backoff = delay
