"""Which lines of two texts say the same, for people to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dojo.grader.similarity.fingerprints import LENGTH
from dojo.grader.similarity.reading import Read

Span = tuple[int, int]
"""First and last line, from 1."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A passage that two texts share, as lines of each."""

    left: Span
    right: Span
    symbols: int


def tiles(left: Read, right: Read, starts: Mapping[int, int], others: Mapping[int, int]) -> list[Tile]:
    """The longest runs of equal symbols around the shared passages, none over another, in the left text's order.

    `starts` and `others` are the two texts' passages. Each diagonal is walked once, so hostile texts cost no more than
    the product of their passages' number and length.
    """
    runs: list[tuple[int, int, int]] = []
    walked: dict[int, int] = {}
    for at, other in sorted((starts[passage], others[passage]) for passage in starts.keys() & others.keys()):
        if at < walked.get(at - other, 0):
            continue
        begin = _back(left, right, at, other)
        end = _ahead(left, right, at, other)
        walked[at - other] = at + end
        if begin + end >= LENGTH:
            runs.append((begin + end, at - begin, other - begin))
    used, used_right = bytearray(len(left.symbols)), bytearray(len(right.symbols))
    found: list[Tile] = []
    for length, start, there in sorted(runs, key=lambda run: (-run[0], run[1], run[2])):
        while length and (used[start] or used_right[there]):
            length, start, there = length - 1, start + 1, there + 1
        free = 0
        while free < length and not (used[start + free] or used_right[there + free]):
            free += 1
        if free >= LENGTH:
            used[start : start + free] = used_right[there : there + free] = b"\1" * free
            found.append(Tile(_span(left, start, free), _span(right, there, free), free))
    return sorted(found, key=lambda tile: (tile.left, tile.right))


def _back(left: Read, right: Read, at: int, other: int) -> int:
    steps = 0
    while steps < min(at, other) and left.symbols[at - steps - 1] == right.symbols[other - steps - 1]:
        steps += 1
    return steps


def _ahead(left: Read, right: Read, at: int, other: int) -> int:
    steps, most = 0, min(len(left.symbols) - at, len(right.symbols) - other)
    while steps < most and left.symbols[at + steps] == right.symbols[other + steps]:
        steps += 1
    return steps


def _span(text: Read, start: int, length: int) -> Span:
    return text.lines[start], text.lines[start + length - 1]
