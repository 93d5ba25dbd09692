"""Is another file when somebody looks.

Kata: backoff_schedule
Attack: Replaces its own file by a link to the root, by a pipe and by an innocent text, one after the other.
Status: failed or error
Points: 0
Needs: tree
"""

import contextlib
import os

for make in (lambda: os.symlink("/", __file__), lambda: os.mkfifo(__file__), lambda: open(__file__, "w").close()):
    with contextlib.suppress(OSError):
        os.remove(__file__)
        make()


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
