"""A student's directory, read without following or waiting for anything that stands in it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dojo.grader.intake.names import clean, listed
from dojo.grader.intake.tree import (
    MAX_DEPTH,
    MAX_FILE,
    MAX_NODES,
    Kind,
    Node,
    Refused,
    Tree,
    Unsafe,
    hidden,
    ordered,
    too_large,
)

# Each directory on the way is opened in the one before, so that none can be exchanged for a link in between.
_BY_DESCRIPTOR = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
_PLAIN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_DIRECTORY = _PLAIN | getattr(os, "O_DIRECTORY", 0)
_FILE = _PLAIN | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_WORDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFREG: "a file",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Directory(Tree):
    """The names under one directory.

    Raises Unsafe if there are too many of them, or if the directory cannot be read or is none.
    """

    def __init__(self, root: Path, label: str = "") -> None:
        self.label = label
        self._root = root
        self._locked: list[str] = []
        self._deep: list[str] = []
        self.nodes = ordered(self._walk())
        self.remarks = tuple(self._said())

    def _walk(self) -> Iterator[Node]:
        pending, count = [""], 0
        while pending:
            above = pending.pop()
            try:
                inside = list(_entries(self._root, above, MAX_NODES - count))
            except OSError as error:
                if not above:
                    raise Unsafe(f"cannot be read: {error.strerror}") from error
                self._locked.append(above)
                continue
            count += len(inside)
            if count >= MAX_NODES:
                raise Unsafe(f"holds more than {MAX_NODES:,} files and directories. Hand in the kata files alone")
            for name, found in inside:
                path = f"{above}/{name}" if above else name
                if hidden(name):
                    continue
                yield (node := node_of(path, found))
                if node.kind == "directory":
                    (pending if path.count("/") < MAX_DEPTH else self._deep).append(path)

    def _said(self) -> Iterator[str]:
        if self._locked:
            yield f"cannot be read: {listed([self.shown(path) for path in sorted(self._locked)])}"
        if self._deep:
            yield f"not looked into, more than {MAX_DEPTH} directories deep: {clean(min(self._deep), 60)}"

    def read(self, path: str, limit: int = MAX_FILE) -> bytes:
        return read_file(self._root, path, limit)


def read_file(root: Path, path: str, limit: int = MAX_FILE) -> bytes:
    """The content of the regular file at `path` under the root, no part of which may be a link. Raises Refused."""
    try:
        with _descriptor(root, path, _FILE) as descriptor:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise Refused(f"is {word(found.st_mode)}. Hand in a file")
            if found.st_size > limit:
                raise Refused(too_large(found.st_size, limit))
            return _content(descriptor, limit)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Refused("is a symbolic link. Hand in the file itself") from error
        raise Refused(f"cannot be read: {error.strerror}") from error


def entries(root: Path, most: int) -> list[tuple[str, os.stat_result]]:
    """The names in a directory, at most `most + 1` of them, each with what it is itself, links not followed.

    Raises OSError.
    """
    return sorted(_entries(root, "", most))


def node_of(path: str, found: os.stat_result) -> Node:
    mode = found.st_mode
    kind: Kind = "other"
    if stat.S_ISREG(mode):
        kind = "file"
    elif stat.S_ISDIR(mode):
        kind = "directory"
    elif stat.S_ISLNK(mode):
        kind = "link"
    return Node(path, kind, word(mode), found.st_size, found.st_nlink if kind == "file" else 1)


def word(mode: int) -> str:
    """What a file is, for people."""
    return _WORDS.get(stat.S_IFMT(mode), "not a file")


def _entries(root: Path, path: str, most: int) -> Iterator[tuple[str, os.stat_result]]:
    if not _BY_DESCRIPTOR:
        with os.scandir(root / path) as found:
            yield from _stats(found, most)
        return
    with _descriptor(root, path, _DIRECTORY) as descriptor, os.scandir(descriptor) as found:
        yield from _stats(found, most)


def _stats(found: Iterator[os.DirEntry[str]], most: int) -> Iterator[tuple[str, os.stat_result]]:
    for count, entry in enumerate(found):
        if count > most:
            return
        yield entry.name, entry.stat(follow_symlinks=False)


@contextmanager
def _descriptor(root: Path, path: str, flags: int) -> Iterator[int]:
    """A descriptor of what stands at `path` under the root; no part of it may be a link. Raises OSError."""
    if not _BY_DESCRIPTOR:
        above = [root.joinpath(*path.split("/")[: n + 1]) for n in range(path.count("/") + 1)]
        if any(place.is_symlink() for place in above):
            raise OSError(errno.ELOOP, "a symbolic link")
        descriptor = os.open(above[-1], flags)
    else:
        descriptor = os.open(root, flags if not path else _DIRECTORY)
    try:
        parts = path.split("/") if path and _BY_DESCRIPTOR else []
        for number, part in enumerate(parts, start=1):
            inner = os.open(part, flags if number == len(parts) else _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _content(descriptor: int, limit: int) -> bytes:
    """All of it, however long the file says it is."""
    chunks, count = [], 0
    while chunk := os.read(descriptor, 1 << 16):
        chunks.append(chunk)
        count += len(chunk)
        if count > limit:
            raise Refused(too_large(count, limit))
    return b"".join(chunks)
