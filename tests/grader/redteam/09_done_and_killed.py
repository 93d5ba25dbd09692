"""Says that it is done, and dies.

Kata: backoff_schedule
Attack: Writes the completion record, closes all descriptors and kills itself.
Status: error
Points: 0
"""

import os
import signal


def attack():
    for fd in range(3, 64):
        try:
            os.write(fd, b'{"event": "done", "exit": 0, "cpu": 0.1}\n')
        except OSError:
            pass
    os.closerange(0, 256)
    os.kill(os.getpid(), signal.SIGKILL)


def delay(*args, **options):
    return attack()


Backoff = delay
