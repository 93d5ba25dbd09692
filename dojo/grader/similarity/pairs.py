"""Which of many texts resemble each other more than the class' texts do anyway."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

FLOOR = 0.5
"""No pair below is listed, however unlike each other the others are."""
CEILING = 0.8
"""Every pair from here up is listed, however alike the others are."""
SPREADS = 3.0
"""How many times the usual spread above the median of the class stands out."""
FEW = 10
"""Of fewer pairs there is no distribution to speak of: the floor decides."""
LEAST = 0.1
"""What a passage counts that everybody has; one that nobody else has counts 1."""
ENOUGH = 8.0
"""What a pair must share, counted in passages that nobody else has: about four lines of code."""
NEAREST = 20
"""With so many others each text is compared in full: those who share most of its rare passages."""

_Weights = tuple[dict[int, tuple[float, float]], list[float]]
"""What each passage counts if one text has it, and if two have it; and what each text's count together."""

_WORK = 20_000
"""Entries of the index that are looked at for each text, the rarest passages first."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Two texts by their numbers, the smaller first."""

    left: int
    right: int
    similarity: float
    """0 to 1: the share of what the smaller one does not owe to everybody that both have."""


@dataclass(frozen=True, slots=True)
class Found:
    """The pairs of one kata."""

    pairs: tuple[Alike, ...]
    """Those worth a look, the most alike first."""
    bar: float
    """From which similarity on they are."""
    median: float
    """Of all pairs that were compared."""
    compared: int


class Comparison:
    """Texts as the passages that they were reduced to, against each other.

    The last one may be the reference solution: what stands in it counts as written by half the class at least, but
    not when a text is compared with the reference itself.
    """

    def __init__(self, texts: Sequence[Mapping[int, int]], *, reference: bool) -> None:
        self._texts = texts
        self._reference = len(texts) - 1 if reference else None
        self._expected: Collection[int] = texts[-1].keys() if reference else ()
        self._index: dict[int, list[int]] = {}
        for number, text in enumerate(texts):
            for passage in text:
                self._index.setdefault(passage, []).append(number)

    def find(self) -> Found:
        """Compares each text with its nearest; the time grows with the number of texts, not with its square."""
        everything = [self.alike(left, right) for left, right in sorted(self._candidates())]
        known = {p.left for p in everything if p.right == self._reference and p.similarity >= CEILING}
        classmates = [pair.similarity for pair in everything if pair.right != self._reference]
        middle = median(classmates) if classmates else 0.0
        bar = FLOOR
        if len(classmates) >= FEW:
            spread = 1.4826 * median(abs(each - middle) for each in classmates)
            bar = min(max(FLOOR, middle + SPREADS * spread), CEILING)
        # Who resembles the reference resembles all others who do; to say it once is enough.
        listed = [
            pair
            for pair in everything
            if (
                pair.left in known
                if pair.right == self._reference
                else pair.similarity >= bar and not {pair.left, pair.right} & known
            )
        ]
        listed.sort(key=lambda pair: (-pair.similarity, pair.left, pair.right))
        return Found(tuple(listed), bar, middle, len(everything))

    def alike(self, left: int, right: int) -> Alike:
        """How alike two texts are; 0 if what they share is too little to mean anything."""
        ours, theirs = self._texts[left], self._texts[right]
        both = ours.keys() & theirs.keys()
        weights, totals = self._plain if right == self._reference else self._against_what_is_expected
        shared = math.fsum(weights[passage][1] for passage in both)
        if shared < ENOUGH:
            return Alike(left, right, 0.0)
        common = math.fsum(weights[passage][0] for passage in both)
        alone = max(0.0, min(totals[left], totals[right]) - common)
        return Alike(left, right, shared / (shared + alone))

    def _candidates(self) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for number, text in enumerate(self._texts):
            counts: Counter[int] = Counter()
            work = _WORK
            for places in sorted((places for p in text if len(places := self._index[p]) > 1), key=len):
                counts.update(places)
                work -= len(places)
                if work < 0:
                    break
            del counts[number]
            nearest = sorted(counts, key=lambda other: (-counts[other], other))[:NEAREST]
            found.update((min(number, other), max(number, other)) for other in nearest)
            if self._reference not in (None, number) and text:
                assert self._reference is not None
                found.add((number, self._reference))
        return found

    @cached_property
    def _plain(self) -> _Weights:
        return self._with_totals(dict(self._weighed(least=0)))

    @cached_property
    def _against_what_is_expected(self) -> _Weights:
        expected = dict(self._weighed(least=len(self._texts) // 2, only=self._expected))
        return self._with_totals({**self._plain[0], **expected})

    def _with_totals(self, weights: dict[int, tuple[float, float]]) -> _Weights:
        return weights, [math.fsum(weights[passage][0] for passage in text) for text in self._texts]

    def _weighed(self, least: int, only: Collection[int] | None = None) -> Iterator[tuple[int, tuple[float, float]]]:
        """What a passage counts if one has it, and if two have it: 1 if nobody else does, less the more do."""
        many = max(2, len(self._texts))
        table = [max(LEAST, math.log(many / (1 + others)) / math.log(many)) for others in range(many - 1)]
        for passage in self._index if only is None else only:
            holders = len(self._index[passage])
            one, two = (min(max(holders - pair, least, 0), many - 2) for pair in (1, 2))
            yield passage, (table[one], table[two])
