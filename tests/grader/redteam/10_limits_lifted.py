"""Lifts its own limits and uses the time.

Kata: backoff_schedule
Attack: Sets each soft limit to its hard one, switches the interval timers off and loops for ever.
Status: timed-out
Points: 0
"""

import resource
import signal


def attack():
    for name in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        try:
            _, hard = resource.getrlimit(name)
            resource.setrlimit(name, (hard, hard))
        except (OSError, ValueError):
            pass
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    while True:
        pass


def delay(*args, **options):
    return attack()


Backoff = delay
