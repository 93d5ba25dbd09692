"""One grading process a book: a lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from dojo.grader.model import GraderError

FILE = "lock"
"""Relative to the book's directory."""

_HELD: set[Path] = set()


class Lock:
    """The lock of one book.

    A POSIX record lock: the kernel frees it when the process that took it ends, even by kill -9, and a child that
    was forked for a submission does not inherit it. (A `flock` would live on in any such child that outlives us.)
    Its price is that it does not keep two users in one process apart, and that closing the file anywhere in this
    process frees it, so `_HELD` knows what this process holds.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory.resolve() / FILE
        self._file: int | None = None

    def take(self) -> None:
        """Raises GraderError if somebody else holds it, or the directory cannot be written."""
        if self._path in _HELD:
            raise _busy(self._path, str(os.getpid()))
        try:
            # The book is the instructor's alone: neither other accounts nor a submission's process may read it.
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            place = self._path.parent
            raise GraderError(f"{place} cannot be written: {error.strerror}. Make it a writable directory.") from error
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(file, 20).decode("ascii", "replace")
            os.close(file)
            raise _busy(self._path, holder) from error
        except OSError as error:
            os.close(file)
            raise GraderError(
                f"{self._path} cannot be locked: {error.strerror}. Put the book on a file system of this machine."
            ) from error
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file = file
        _HELD.add(self._path)

    def free(self) -> None:
        """The file stays: removing it would let two others lock two different files."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            _HELD.discard(self._path)


def _busy(path: Path, holder: str) -> GraderError:
    process = f"process {holder}" if holder.isdigit() else "another process"
    return GraderError(f"{path.parent} is being graded into by {process}. Wait until it is done, or end it.")
