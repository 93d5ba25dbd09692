"""Which file of what a student handed in implements a kata: `dojo.catalog.resolve_impl`, on untrusted names.

The shapes and their precedence are the same. Two things are added, because of how students hand in: one directory
that wraps everything is looked through, and in a clone that stands further down, the repository's own solutions,
mutants and tests are no candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import attrgetter

from dojo.catalog import Kata
from dojo.grader.intake.names import listed, nearly
from dojo.grader.intake.tree import Node, Refused, Tree

_CLONES = 8
"""Clones that a student's work is searched for: two are a mistake, thousands are meant to keep the grader busy."""
CLONES_OWN = ("solutions", "tests", "dojo", "tools", "docs")


@dataclass(frozen=True)
class Layer:
    """One of the trees that a student's work consists of."""

    tree: Tree
    rank: tuple[int, int] = (0, 0)
    """A layer of a lower rank goes before one of a higher, whatever the shapes; layers of one rank contradict each
    other if both hold a kata. The first number counts from the latest hand-in, the second is 1 for what was packed
    in an archive within it."""

    @cached_property
    def top(self) -> str:
        return self.tree.top()

    @cached_property
    def clones(self) -> tuple[str, ...]:
        """The roots of clones in it, the first few: what stands before `katas/`."""
        paths = [node.path for node in self.tree.nodes.values() if node.kind == "directory" and node.name == "katas"]
        return tuple(path.removesuffix("katas") for path in paths[:_CLONES])

    def ours(self, path: str) -> bool:
        """Whether it stands where a clone has the repository's own files that are called like a kata's."""
        return any(
            path.startswith(f"{clone}{own}/") for clone in self.clones for own in CLONES_OWN if path.startswith(clone)
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A file in one of the layers."""

    layer: Layer
    node: Node

    @property
    def shown(self) -> str:
        return self.layer.tree.shown(self.node.path)

    def read(self) -> bytes:
        """Raises Refused and Unsafe."""
        return self.layer.tree.read(self.node.path)


def resolve(layers: Sequence[Layer], kata: Kata) -> Place | None:
    """The place of the kata's file, or None if nothing was handed in for it.

    Raises Refused, with a whole sentence, if there are several places, or only something that is no file or is
    called almost like it. Raises Unsafe if several files had to be compared and could not be read.
    """
    by_rank = sorted(layers, key=attrgetter("rank"))
    for _, group in groupby(by_rank, key=attrgetter("rank")):
        level = list(group)
        for places in (
            [place for layer in level if (place := _shaped(layer, kata))],
            [place for layer in level for place in _deeper(layer, kata)],
        ):
            if places:
                return _only(places, kata)
    for layer in by_rank:
        for node in _called(layer, f"{kata.name}.py"):
            raise Refused(f"{layer.tree.shown(node.path)} is {node.what}. Hand in a file.")
    for layer in by_rank:
        for node in layer.tree.nodes.values():
            if node.kind == "file" and nearly(node.name, kata.name) and not layer.ours(node.path):
                raise Refused(f"found {layer.tree.shown(node.path)}: rename it to {kata.name}.py.")
    return None


def shapes(kata: Kata) -> tuple[str, ...]:
    """Where a kata's file stands in a tree, the first that is there counts; the same once more below `katas/`."""
    file = f"{kata.name}.py"
    plain = (f"{kata.track}/{kata.name}/{file}", f"{kata.track}/{file}", f"{kata.name}/{file}", file)
    return (*plain, *(f"katas/{shape}" for shape in plain))


def _shaped(layer: Layer, kata: Kata) -> Place | None:
    for top in dict.fromkeys(("", layer.top)):
        for shape in shapes(kata):
            node = layer.tree.nodes.get(top + shape)
            if node is not None and node.kind == "file":
                return Place(layer, node)
    return None


def _deeper(layer: Layer, kata: Kata) -> Iterator[Place]:
    for node in _called(layer, f"{kata.name}.py"):
        if node.kind == "file":
            yield Place(layer, node)


def _called(layer: Layer, name: str) -> list[Node]:
    return [node for node in layer.tree.nodes.values() if node.name == name and not layer.ours(node.path)]


def _only(places: list[Place], kata: Kata) -> Place:
    """The first if there are no others, or only copies of it."""
    if len(places) > 1:
        try:
            same = len({place.read() for place in places[:8]}) == 1 and len(places) <= 8
        except Refused:
            same = False
        if not same:
            where = listed(sorted(place.shown for place in places), 5)
            raise Refused(f"{kata.name}.py was handed in more than once, and not the same: {where}. Leave one.")
    return places[0]
