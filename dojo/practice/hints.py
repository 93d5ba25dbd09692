"""A kata's hints: four sections of `hints.md`, each a step closer to the code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dojo.catalog import Kata
from dojo.practice.bench import PracticeError
from dojo.practice.progress import Progress, sha256

_HEADING = re.compile(r"^## (\d+)\b[ .:]*(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hint:
    number: int
    """1 is the gentlest."""
    title: str
    text: str
    """Markdown, without the heading."""


def read_hints(kata: Kata) -> tuple[Hint, ...]:
    """All hints of a kata in order. Raises PracticeError if there are none or their numbers have gaps."""
    try:
        text = kata.hints.read_text(encoding="utf-8")
    except OSError as error:
        raise PracticeError(
            f"{kata.id} has no hints: {kata.hints} cannot be read. Restore it from a fresh clone."
        ) from error
    found = list(_HEADING.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    hints = tuple(
        Hint(int(match[1]), match[2].strip(), text[match.end() : end].strip())
        for match, end in zip(found, ends, strict=True)
    )
    if not hints or [hint.number for hint in hints] != list(range(1, len(hints) + 1)):
        raise PracticeError(f"{kata.hints} must have the headings `## 1 …`, `## 2 …` and so on, in order.")
    return hints


def unlocked(kata: Kata, progress: Progress) -> bool:
    """Whether the next hint may be shown: the first one always, each further one after another attempt.

    An attempt is a run that the dojo has seen, or any change to the learner's file: those who run plain pytest
    try as hard.
    """
    if progress.hints == 0 or progress.attempted_since_hint:
        return True
    return text_sha256(kata) != progress.hint_sha256


def text_sha256(kata: Kata) -> str | None:
    """Of the learner's file as it stands; None if it cannot be read."""
    try:
        return sha256(kata.stub.read_bytes())
    except OSError:
        return None
