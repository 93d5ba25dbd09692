"""Its own signal handlers never return.

Kata: backoff_schedule
Attack: Installs handlers for the clocks' signals that loop for ever with all signals blocked.
Status: timed-out
Points: 0
"""

import signal


def handler(number, frame):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        pass


def attack():
    for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGXCPU, signal.SIGTERM):
        signal.signal(number, handler)
    signal.raise_signal(signal.SIGALRM)


def delay(*args, **options):
    return attack()


Backoff = delay
