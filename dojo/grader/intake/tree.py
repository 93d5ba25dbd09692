"""A tree of names: what a directory, an archive and a single file have in common.

Everything about where a kata's file stands is decided on names, kinds and sizes, which are known before any content
is read. Nothing is followed, extracted or run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from dojo.grader.intake.names import clean, size

MAX_FILE = 1 << 20
"""Bytes of one file that is graded or compared. The longest solution has a few hundred lines."""
MAX_ARCHIVE = 64 << 20
"""Bytes of one student's archive, packed. It is held in memory while it is read."""
MAX_UNPACKED = 256 << 20
"""Bytes that one student's archive may unpack to."""
MAX_NODES = 20_000
"""Files and directories of one student."""
MAX_DEPTH = 24
"""Directories below each other."""

Kind = Literal["file", "directory", "link", "other"]

_NOBODYS = {"__pycache__", "__macosx", "node_modules", "site-packages", "venv"}


class Refused(Exception):
    """This file cannot be graded; the message says why, without the file's name."""


class Unsafe(Exception):
    """Nothing of this archive or directory can be graded; the message says why, without its name."""


@dataclass(frozen=True, slots=True)
class Node:
    """One name of a tree."""

    path: str
    """From the tree's root, parts separated by `/`. Untrusted: it may hold surrogates and control characters."""
    kind: Kind
    what: str
    """The kind for people: `a file`, `a symbolic link`, `a FIFO`."""
    size: int = 0
    """In bytes, as the directory or the archive says."""
    links: int = 1
    """Names that the file system knows the file by."""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Tree(ABC):
    """The names of one directory, archive or file, bounded in number, and a bounded way to read them."""

    label: str
    """What stands before a path of this tree where it is shown; empty for a student's own directory."""
    nodes: Mapping[str, Node]
    """By path, in the order of their depth and then of their names. Hidden names and installed packages are not
    among them."""
    remarks: tuple[str, ...] = ()
    """What was left out, and why."""

    @abstractmethod
    def read(self, path: str, limit: int = MAX_FILE) -> bytes:
        """The content of a file among `nodes`.

        Raises Refused if it has more than `limit` bytes or cannot be read, and Unsafe if the tree is damaged.
        """

    def shown(self, path: str) -> str:
        """The path for people, harmless and short."""
        return clean(f"{self.label}/{path}" if self.label else path, 160)

    def top(self) -> str:
        """What stands before every path if the tree is a single directory wrapped in others, as in an archive of a
        directory: `cache/`, for instance; else nothing."""
        prefix = ""
        while True:
            inside = [node for node in self.nodes.values() if _parent(node.path) == prefix]
            if len(inside) != 1 or inside[0].kind != "directory":
                return prefix
            prefix = f"{inside[0].path}/"


class Loose(Tree):
    """One file under the name that its student gave it."""

    def __init__(self, name: str, content: bytes | None, label: str, refused: str = "", size: int = 0) -> None:
        self.label = label
        self.nodes = {name: Node(name, "file", "a file", len(content) if content is not None else size)}
        self._content = content
        self._refused = refused

    def read(self, path: str, limit: int = MAX_FILE) -> bytes:
        if self._content is None:
            raise Refused(self._refused)
        if len(self._content) > limit:
            raise Refused(too_large(len(self._content), limit))
        return self._content

    def shown(self, path: str) -> str:
        return clean(self.label or path, 160)


def hidden(path: str) -> bool:
    """Whether nobody wrote what stands there: hidden, compiled, or an installed package."""
    return any(part.startswith(".") or part.lower() in _NOBODYS for part in path.split("/"))


def ordered(nodes: Iterable[Node]) -> dict[str, Node]:
    """By path, the shallow ones first: the same on every machine, whatever order a directory is read in."""
    return {node.path: node for node in sorted(nodes, key=lambda node: (node.path.count("/"), node.path))}


def with_parents(nodes: Iterable[Node]) -> dict[str, Node]:
    """The nodes and the directories that an archive does not list but implies."""
    found = {node.path: node for node in nodes}
    for path in list(found):
        for parent in PurePosixPath(path).parents:
            if (name := str(parent)) == "." or name in found:
                break
            found[name] = Node(name, "directory", "a directory")
    return ordered(found.values())


def too_large(found: int, limit: int = MAX_FILE) -> str:
    """Why a file is refused for its size."""
    return f"is {size(found)}; at most {size(limit)} is read. Hand in the source alone"


def _parent(path: str) -> str:
    head, slash, _ = path.rpartition("/")
    return head + slash
