"""From the bytes of an archive to its tree, by what it is and not by what it is called."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dojo.catalog import Kata
from dojo.grader.intake import tarred
from dojo.grader.intake.archive import Archive, Fetch, Member, stem
from dojo.grader.intake.remarks import STEERING
from dojo.grader.intake.tree import MAX_ARCHIVE, MAX_FILE, Unsafe
from dojo.grader.intake.zipped import Zip

_FOREIGN = {b"Rar!": "a RAR archive", b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive", b"(\xb5/\xfd": "a zstd archive"}
_TAR_AT = 257
_SOURCES = (".py", ".pth", ".ini", ".toml", ".cfg")


@dataclass(frozen=True)
class Wanted:
    """Which names matter for a choice of katas."""

    katas: Sequence[Kata]

    @cached_property
    def files(self) -> frozenset[str]:
        """Of the katas' own files."""
        return frozenset(f"{kata.name}.py" for kata in self.katas)

    @cached_property
    def read(self) -> frozenset[str]:
        """Of all files that are read."""
        return self.files | STEERING | {f"test_{kata.name}.py" for kata in self.katas}

    @cached_property
    def directories(self) -> frozenset[str]:
        """Of the directories that show that something is one student's work."""
        return frozenset(name for kata in self.katas for name in (kata.track, kata.name))

    def bytes(self, path: str) -> int:
        """How large a member of a tar archive is kept at most; others are only counted."""
        if stem(path) is not None:
            return MAX_ARCHIVE
        return MAX_FILE if path.endswith(_SOURCES) else -1


def opened(data: bytes, label: str, wanted: Wanted) -> Archive:
    """The tree of a student's archive. Raises Unsafe."""
    members, fetch = unpacked(data, wanted)
    return archive(members, fetch, label, wanted)


def archive(members: Sequence[Member], fetch: Fetch, label: str, wanted: Wanted) -> Archive:
    """The tree of a student's members. Raises Unsafe, also for a damaged file that would be read."""
    tree = Archive(members, fetch, wanted.files, label)
    tree.verify(wanted.read)
    return tree


def unpacked(data: bytes, wanted: Wanted) -> tuple[Sequence[Member], Fetch]:
    """The members of an archive in memory, and what reads one. Raises Unsafe."""
    if not data:
        raise Unsafe("is empty")
    for magic, what in _FOREIGN.items():
        if data.startswith(magic):
            raise Unsafe(f"is {what}, which is not read. Hand in a .zip")
    if is_tar(data[: _TAR_AT + 8]):
        return tarred.members(io.BytesIO(data), wanted.bytes), tarred.fetch
    file = Zip(data)
    return file.members, file.fetch


def is_tar(start: bytes) -> bool:
    """Whether something that begins so can be a tar archive, packed or not."""
    return start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")) or start[_TAR_AT : _TAR_AT + 5] == b"ustar"
