"""What holds one entry a student: the instructor's folder, or an archive of such a folder from a learning platform."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dojo.grader.intake import tarred
from dojo.grader.intake.archive import Fetch, Member, flaw_of, stem
from dojo.grader.intake.directory import Directory, entries, node_of, read_file
from dojo.grader.intake.opening import Wanted, archive, is_tar
from dojo.grader.intake.tree import Kind, Refused, Tree, Unsafe
from dojo.grader.intake.zipped import Zip
from dojo.grader.model import GraderError

_MOST = 100_000
"""Entries of a folder."""
_TABLE = 64 << 20
"""Bytes of the directory of a platform's archive."""
_UNPACKED = 8 << 30
"""Bytes that are passed over in a platform's tar archive, as it has to be unpacked to be read at all."""
_KEPT = 512 << 20
_DOT = re.compile(r"(?:\./+)+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One name at the top."""

    name: str
    kind: Kind
    what: str
    size: int = 0


class Shelf(ABC):
    """A folder or an archive of submissions. Close it; it can be read again nevertheless."""

    prefix: str
    """What stands before an entry's name where it is shown: the directories that were looked through."""
    entries: Sequence[Entry]
    """Sorted by name."""
    skipped: Sequence[tuple[str, str]] = ()
    """Names that cannot be entries, and why."""

    @abstractmethod
    def inside(self, name: str) -> dict[str, Kind]:
        """The names at the top of a directory; empty if it cannot be read."""

    @abstractmethod
    def tree(self, name: str, label: str) -> Tree:
        """A directory's tree. Raises Unsafe."""

    @abstractmethod
    def file(self, name: str, limit: int) -> bytes:
        """A file's content. Raises Refused and Unsafe."""

    @abstractmethod
    def within(self, name: str) -> Shelf:
        """A directory as the shelf."""

    @abstractmethod
    def whole(self) -> Tree:
        """All of it as one student's tree. Raises Unsafe."""

    @abstractmethod
    def close(self) -> None: ...


class Folder(Shelf):
    """A directory of the instructor's. Raises GraderError if it cannot be read."""

    def __init__(self, path: Path, wanted: Wanted, prefix: str = "") -> None:
        self.prefix, self._path, self._wanted = prefix, path, wanted
        try:
            found = entries(path, _MOST)
        except OSError as error:
            raise GraderError(f"cannot read {path}: {error.strerror}. Make it readable.") from error
        if len(found) > _MOST:
            raise GraderError(f"{path} holds more than {_MOST:,} entries. Name the folder of submissions alone.")
        nodes = [node_of(name, stat) for name, stat in found]
        self.entries = [Entry(node.path, node.kind, node.what, node.size) for node in nodes]

    def inside(self, name: str) -> dict[str, Kind]:
        try:
            return {inner: node_of(inner, stat).kind for inner, stat in entries(self._path / name, _MOST)}
        except OSError:
            return {}

    def tree(self, name: str, label: str) -> Tree:
        return Directory(self._path / name, label)

    def file(self, name: str, limit: int) -> bytes:
        return read_file(self._path, name, limit)

    def within(self, name: str) -> Shelf:
        return Folder(self._path / name, self._wanted, f"{self.prefix}{name}/")

    def whole(self) -> Tree:
        return Directory(self._path)

    def close(self) -> None:
        """Nothing is kept open."""


class Packed(Shelf):
    """An archive, or a directory of it, whose top has an entry a student.

    What is unsafe about a member is its student's trouble; a name that belongs to nobody is skipped.
    """

    def __init__(
        self, members: Sequence[Member], fetch: Fetch, wanted: Wanted, close: Callable[[], None], prefix: str = ""
    ) -> None:
        self.prefix, self._members, self._fetch, self._wanted, self._close = prefix, members, fetch, wanted, close
        self.skipped: list[tuple[str, str]] = []
        self._groups: dict[str, list[Member]] = {}
        self._files: dict[str, Member] = {}
        for member in members:
            self._sort(member)
        directories = [Entry(name, "directory", "a directory") for name in self._groups]
        files = [Entry(name, one.kind, one.what, one.size) for name, one in self._files.items()]
        self.entries = sorted([*directories, *files], key=lambda entry: entry.name)

    def _sort(self, member: Member) -> None:
        name = _DOT.sub("", member.name) if member.name.startswith("./") else member.name
        first, slash, rest = name.partition("/")
        if problem := flaw_of(first) or (flaw_of(name) if not first else ""):
            self.skipped.append((member.name, problem))
        elif not first or first == ".":
            return
        elif slash:
            inside = self._groups.setdefault(first, [])
            if rest:
                inside.append(replace(member, name=rest))
        elif first in self._files:
            flaw = "is there more than once"
            self._files[first] = replace(self._files[first], flaw=flaw)
        else:
            self._files[first] = member

    def inside(self, name: str) -> dict[str, Kind]:
        found: dict[str, Kind] = {}
        for member in self._groups.get(name, ()):
            first, slash, _ = member.name.partition("/")
            found.setdefault(first, "directory" if slash else member.kind)
        return found

    def tree(self, name: str, label: str) -> Tree:
        return archive(self._groups[name], self._fetch, label, self._wanted)

    def file(self, name: str, limit: int) -> bytes:
        member = self._files[name]
        if member.flaw:
            raise Unsafe(member.flaw)
        if member.size > limit:
            raise Refused(f"is too large: {member.size:,} bytes, at most {limit:,} are read")
        return self._fetch(member, limit)

    def within(self, name: str) -> Shelf:
        return Packed(self._groups[name], self._fetch, self._wanted, self._close, f"{self.prefix}{name}/")

    def whole(self) -> Tree:
        return archive(self._members, self._fetch, "", self._wanted)

    def close(self) -> None:
        self._close()


def shelf(path: Path, wanted: Wanted) -> Shelf:
    """The folder or archive at `path`. Raises GraderError if it is neither, or cannot be read."""
    if not path.exists():
        raise GraderError(f"no submissions at {path}. Name a folder with one directory or archive a student.")
    if path.is_dir():
        return Folder(path.resolve(), wanted)
    if not path.is_file() or stem(path.name) is None:
        raise GraderError(f"{path} is neither a folder nor a .zip or .tar archive. Name a folder of submissions.")
    try:
        with path.open("rb") as file:
            if is_tar(file.read(512)):
                file.seek(0)
                members: Sequence[Member] = tarred.members(
                    file, wanted.bytes, most=10 * _MOST, unpacked=_UNPACKED, kept=_KEPT
                )
                return Packed(members, tarred.fetch, wanted, lambda: None)
        packed = Zip(path, _TABLE)
    except OSError as error:
        raise GraderError(f"cannot read {path}: {error.strerror}. Make it readable.") from error
    except Unsafe as error:
        raise GraderError(f"{path} {error}. Download it again, or unpack it and name the folder.") from error
    packed.close()
    return Packed(packed.members, packed.fetch, wanted, packed.close)
