"""The follow-up questions of a kata's README, each with the answer that is folded away there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dojo.catalog import Kata
from dojo.practice.bench import PracticeError

_SECTION = re.compile(r"^## Going further\s*$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FOLDED = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Question:
    number: int
    text: str
    answer: str
    """Markdown."""


def read_questions(kata: Kata) -> tuple[Question, ...]:
    """The questions in order. Raises PracticeError if the README has none."""
    try:
        section = _SECTION.search(kata.readme.read_text(encoding="utf-8"))
    except OSError as error:
        raise PracticeError(
            f"{kata.readme} cannot be read: {error.strerror}. Restore it from a fresh clone."
        ) from error
    found = _FOLDED.findall(section[1]) if section else []
    if not found:
        raise PracticeError(f"{kata.readme} has no questions under `## Going further`. Restore it from a fresh clone.")
    return tuple(
        Question(number, " ".join(question.split()), answer.strip())
        for number, (question, answer) in enumerate(found, start=1)
    )
