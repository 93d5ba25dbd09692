"""A process's directory of its own for as long as it lives; what a killed one left behind goes with the next.

After `kill -9` nobody tidies up, and a machine that grades for years would fill. Each directory holds a file that its
process keeps locked: whose lock is free, has no owner any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

_OWNER = "owner"


@contextlib.contextmanager
def workspace(kind: str) -> Iterator[Path]:
    """A new directory `dojo-KIND-…` in the temporary directory, private to this user; it is gone afterwards."""
    prefix = f"dojo-{kind}-"
    for place in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            _remove_if_left(place)
    with tempfile.TemporaryDirectory(prefix=prefix) as directory:
        draft, owner = Path(directory, f"{_OWNER}.draft"), Path(directory, _OWNER)
        # Not `lockf`: looking at another directory of this process would free its lock.
        with open(draft, "xb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            draft.rename(owner)  # so nobody ever sees one that is not locked yet
            yield Path(directory)


def _remove_if_left(place: Path) -> None:
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return
    with open(os.open(place / _OWNER, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(place, ignore_errors=True)
