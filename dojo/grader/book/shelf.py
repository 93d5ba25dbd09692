"""The book's directory: each file is whole at any moment, and no page of a former book stays behind."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from dojo.grader.model import GraderError

LIST = ".book"
"""What the book consists of, one path a line: what we may remove when it is no longer part of it."""


class Shelf:
    """Writes files below a directory. Only one process may do so at a time (the journal's lock sees to that)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._former = _listed(directory)
        self._written: set[str] = set()

    def put(self, name: str, text: str, encoding: str = "utf-8") -> None:
        """Write one file; `name` is a path with slashes. Raises GraderError if it cannot be written."""
        if name not in self._former and name not in self._written:
            # Before the file itself: whatever ends us, nothing of ours is unknown to the next book.
            self._list(self._former | self._written | {name})
        self._written.add(name)
        self._replace(self._directory / name, text.encode(encoding))

    def close(self) -> None:
        """Remove what a former book had and this one has not."""
        for name in sorted(self._former - self._written):
            try:
                for path in (self._directory / name, _draft(self._directory / name)):
                    path.unlink(missing_ok=True)
            except OSError as error:
                raise GraderError(
                    f"cannot remove {self._directory / name}, which is no longer part of the book: {error.strerror}."
                ) from error
        self._list(self._written)

    def _list(self, names: set[str]) -> None:
        self._replace(self._directory / LIST, "".join(f"{name}\n" for name in sorted(names)).encode())

    def _replace(self, path: Path, data: bytes) -> None:
        draft = _draft(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Not forced to the disk: the book can be made again from the journal, which is.
            draft.write_bytes(data)
            os.replace(draft, path)
        except OSError as error:
            raise GraderError(f"cannot write {path}: {error.strerror}. Make it writable and try again.") from error


def _draft(path: Path) -> Path:
    """Always the same name, so that one which a killed process left is overwritten, or removed, by the next book."""
    return path.with_name(f".{path.name}.new")


def _listed(directory: Path) -> set[str]:
    """What a former book wrote. A list that somebody else changed cannot make us remove anything outside."""
    try:
        lines = (directory / LIST).read_text("utf-8", "replace").splitlines()
    except OSError:
        return set()
    paths = [PurePosixPath(line) for line in lines if line]
    return {str(path) for path in paths if not path.is_absolute() and ".." not in path.parts and len(path.parts) <= 2}
