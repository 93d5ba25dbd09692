"""What zip and tar archives have in common: members with untrusted names, checked before anything is read.

Nothing is ever extracted to the disk: a member is read into memory, within bounds that are counted on what the
decompressor really gives, and an archive that plays tricks is refused as a whole.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dojo.grader.intake.names import clean, size
from dojo.grader.intake.tree import (
    MAX_DEPTH,
    MAX_FILE,
    MAX_NODES,
    MAX_UNPACKED,
    Kind,
    Node,
    Refused,
    Tree,
    Unsafe,
    hidden,
    too_large,
    with_parents,
)

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
FOREIGN = (".rar", ".7z", ".gz", ".bz2", ".xz", ".zst", ".z", ".lzma", ".cab", ".arj", ".lha", ".sit", ".dmg", ".iso")
"""Archives of students that are not read; the student is told to hand in a .zip."""

_DRIVE = re.compile(r"[A-Za-z]:")
_RENUMBERED = re.compile(r"\.tar-\d+(\.(?:gz|bz2|xz))\Z", re.IGNORECASE)
"""What Canvas makes of a second `work.tar.gz`: `work.tar-1.gz`."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive, as its directory has it."""

    name: str
    """Untrusted, and not checked yet."""
    kind: Kind
    what: str
    size: int
    flaw: str = ""
    """Why it cannot be read: encrypted, an unsupported compression."""
    key: object = None
    """What the archive needs to find it again."""


Fetch = Callable[[Member, int], bytes]
"""Reads a member of at most so many bytes. Raises Refused and Unsafe."""


class Archive(Tree):
    """The members of an archive, or of one directory of it.

    `katas` are the names of the files that matter: one that is a link makes the archive unsafe, as any link outside
    might be meant, while another link is only left out. Raises Unsafe.
    """

    def __init__(self, members: Iterable[Member], fetch: Fetch, katas: frozenset[str], label: str = "") -> None:
        self.label = label
        self._fetch = fetch
        self._members = _checked(members, katas)
        deep = [path for path in self._members if path.count("/") > MAX_DEPTH]
        nodes = [
            Node(path, member.kind, member.what, member.size)
            for path, member in self._members.items()
            if path.count("/") <= MAX_DEPTH
        ]
        self.nodes = with_parents(nodes)
        if deep:
            # the same words as for a directory
            self.remarks = (f"not looked into, more than {MAX_DEPTH} directories deep: {clean(min(deep), 60)}",)

    def read(self, path: str, limit: int = MAX_FILE) -> bytes:
        member = self._members.get(path)
        if member is None or member.kind != "file":
            raise Refused(f"is {member.what if member else 'a directory'}. Hand in a file")
        if member.size > limit:
            raise Refused(too_large(member.size, limit))
        return self._fetch(member, limit)

    def verify(self, names: frozenset[str]) -> None:
        """Read every file that is called so, for what an archive's directory says is not known to be true.

        Raises Unsafe.
        """
        for path, member in self._members.items():
            if member.kind == "file" and path.rpartition("/")[2] in names:
                with contextlib.suppress(Refused):
                    self.read(path)


def _checked(members: Iterable[Member], katas: frozenset[str]) -> dict[str, Member]:
    found: dict[str, Member] = {}
    unpacked = 0
    for member in members:
        if problem := flaw_of(member.name):
            raise Unsafe(f"is not safe to open: it holds {clean(member.name, 60)!r}, {problem}")
        path = normal(member.name)
        if member.flaw:
            raise Unsafe(f"cannot be read: {clean(path, 60)!r} {member.flaw}")
        if not path or hidden(path):
            continue
        if path in found:
            if member.kind == found[path].kind == "directory":
                continue
            raise Unsafe(f"is not safe to open: it holds {clean(path, 60)!r} more than once")
        if member.kind in ("link", "other") and path.rpartition("/")[2] in katas:
            raise Unsafe(f"is not safe to open: its {clean(path, 60)} is {member.what}. Hand in the file itself")
        unpacked += member.size
        if unpacked > MAX_UNPACKED:
            raise Unsafe(f"unpacks to {size(unpacked)} or more, at most {size(MAX_UNPACKED)} is read. {ALONE}")
        found[path] = member
        if len(found) > MAX_NODES:
            raise Unsafe(f"holds more than {MAX_NODES:,} files and directories. {ALONE}")
    return found


ALONE = "Hand in the kata files alone"


def flaw_of(name: str) -> str:
    """Why a member's name is not a path below its archive; empty if it is one."""
    if "\0" in name:
        return "a name with a NUL in it"
    if "\\" in name:
        return "a name with a backslash. Make the archive anew with the system's own zip"
    if name.startswith("/"):
        return "an absolute path"
    if _DRIVE.match(name):
        return "a path with a drive"
    if ".." in name.split("/"):
        return "a path that leaves the archive"
    return ""


def normal(name: str) -> str:
    """The path without `./`, doubled and closing slashes; empty for the archive's own root."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def stem(name: str) -> str | None:
    """The name of an archive without its ending, or None if the name is not an archive's."""
    plain = _RENUMBERED.sub(r".tar\1", name)
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if plain.lower().endswith(suffix):
            return plain[: -len(suffix)]
    return None


def foreign(name: str) -> bool:
    """Whether the name is that of an archive which is not read here."""
    return stem(name) is None and name.lower().endswith(FOREIGN)
