"""The learner's file: put back to the stub, with what stood there kept safe first."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from dojo.catalog import HOME as HOME
from dojo.catalog import Kata
from dojo.stubs import is_pristine, write_stub


class PracticeError(Exception):
    """Something of the learner's own cannot be read or kept; the message names the remedy."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is whole at any moment, whatever ends the process.

    Raises PracticeError if it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        os.replace(draft, path)
    except OSError as error:
        raise PracticeError(f"cannot write {path}: {error.strerror}. Make it writable and try again.") from error


def reset(kata: Kata, now: datetime | None = None) -> Path | None:
    """Put the learner's file back to the pristine stub, without git.

    Returns the backup of what stood there: a file that is named after `now` (default: the present) in
    UTC. Returns None if there was nothing to lose. Raises PracticeError if the backup cannot be
    written, in which case the file is left alone, and StubError if no stub can be derived.
    """
    backup = None
    if kata.stub.is_file() and not is_pristine(kata):
        backup = keep(kata, kata.stub, now)
    write_stub(kata)
    return backup


def keep(kata: Kata, file: Path, now: datetime | None = None, prefix: str = "") -> Path:
    """Copy what stands in a learner's file to a backup that is named after `prefix` and `now`; the backup.

    Raises PracticeError if it cannot be read or written.
    """
    stamp = prefix + (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")
    backup = _free(kata.root / HOME / "backups" / kata.name, stamp)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise PracticeError(f"cannot read {file}: {error.strerror}. Nothing was changed.") from error
    write_atomically(backup, data)
    return backup


def _free(directory: Path, stamp: str) -> Path:
    """A name that no earlier backup has: two resets in one second keep two files."""
    path, number = directory / f"{stamp}.py", 1
    while path.exists():
        number += 1
        path = directory / f"{stamp}-{number}.py"
    return path
