"""Hears no signal.

Kata: backoff_schedule
Attack: Blocks all signals, ignores those of the clocks and of the CPU limit, and loops for ever.
Status: timed-out
Points: 0
"""

import signal


def attack():
    for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGXCPU, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        pass


def delay(*args, **options):
    return attack()


Backoff = delay
