"""Winnowing: from the symbols of a text to the few of its passages by which a copy of any part is found.

Schleimer, Wilkerson, Aiken: "Winnowing: Local Algorithms for Document Fingerprinting", SIGMOD 2003.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

LENGTH = 14
"""Symbols of one passage: what two texts share of fewer in a row is noise."""
WINDOW = 5
"""Of so many neighbouring passages one is kept, so `LENGTH + WINDOW - 1` shared symbols are never missed."""

_BASE = 0x1F3D5B79A8C6E4F2
_PRIME = (1 << 61) - 1
_NONE = _PRIME
"""Greater than any hash."""
_OUT = pow(_BASE, LENGTH, _PRIME)


def passages(symbols: Sequence[int]) -> list[int]:
    """The hash of each passage, in order; Karp and Rabin's, so the time is the same for any text."""
    hashes: list[int] = []
    value = 0
    for place, symbol in enumerate(symbols):
        value = (value * _BASE + symbol + 1) % _PRIME
        if place >= LENGTH:
            value = (value - (symbols[place - LENGTH] + 1) * _OUT) % _PRIME
        if place >= LENGTH - 1:
            hashes.append(value)
    return hashes


def winnow(symbols: Sequence[int], ignored: Collection[int]) -> dict[int, int]:
    """The passages to compare by, each with the place of its first symbol; none of them is in `ignored`."""
    hashes = [_NONE if each in ignored else each for each in passages(symbols)]
    chosen: dict[int, int] = {}
    for start in range(max(1, len(hashes) - WINDOW + 1)):
        least = min(hashes[start : start + WINDOW], default=_NONE)
        if least not in chosen:
            chosen[least] = hashes.index(least, start) if hashes else 0
    chosen.pop(_NONE, None)
    return chosen
