"""One survivor's code, for those who have asked to see it."""

from __future__ import annotations

import ast
import difflib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dojo.author import declared
from dojo.author.declared import Mutant
from dojo.catalog import Kata
from dojo.practice import History, sha256

_MOST_MISSING = 10
"""A mutant that lacks more of the usual lines is of another make, and the lines say nothing."""


@dataclass(frozen=True, slots=True)
class Reveal:
    """A mutant as it is shown."""

    mutant: Mutant
    docstring: str
    """What it does wrong."""
    beside: Path
    """The right solution that it differs from least."""
    diff: tuple[str, ...]
    """From there to the mutant, as a unified diff without the two docstrings; empty if it would be long, because
    the mutant is of another make altogether."""
    code: tuple[tuple[bool, str], ...]
    """The mutant's lines, each with whether it is its own: in no right solution, and in few other mutants."""
    missing: tuple[str, ...]
    """Lines that nearly all other mutants have, and it has not."""

    def to_json(self) -> dict[str, Any]:
        return {
            "mutant": self.mutant.name,
            "rule": self.mutant.rule,
            "trap": self.mutant.trap,
            "docstring": self.docstring,
            "beside": str(self.beside),
            "diff": list(self.diff),
            "code": "\n".join(line for _, line in self.code),
            "own": [number for number, (own, _) in enumerate(self.code, start=1) if own],
            "missing": list(self.missing),
        }


def survivors_seen(past: History, kata: Kata) -> tuple[str, ...] | None:
    """The mutants that survived when these very tests were last scored; None if they have not been scored."""
    text = kata.flip.read_bytes()
    last = next((event for event in reversed(past.events(kata.name, "flip"))), None)
    if last is None or last.data.get("sha256") != sha256(text) or "survivors" not in last.data:
        return None
    return tuple(last.data["survivors"])


def reveal(kata: Kata, mutant: Mutant) -> Reveal:
    """What there is to see of a mutant. The diff goes out from the right solution that it differs from least."""
    docstring, wrong = _apart(mutant.path)
    choices = (kata.solution, *declared.files(kata.alternatives))
    diffs = [(path, _diff(path, wrong, mutant)) for path in choices]
    beside, diff = min(diffs, key=lambda pair: len(pair[1]))  # the reference, if others are as near
    said = "\n".join(line for line in docstring.splitlines() if not line.startswith(("Trap:", "Rule:")))
    changed = sum(line.startswith(("-", "+")) for line in diff[2:])  # after the two names
    shown = diff if changed <= len(wrong) / 2 else []
    return Reveal(mutant, said.strip(), beside, tuple(shown), *_marked(kata, mutant, wrong))


def _marked(kata: Kata, mutant: Mutant, wrong: list[str]) -> tuple[tuple[tuple[bool, str], ...], tuple[str, ...]]:
    """The mutant's lines with whether each is its own, and the lines that it lacks.

    A kata's mutants are mostly made from one right solution, so what is rare among them is the fault.
    """
    right = {line.strip() for path in (kata.solution, *declared.files(kata.alternatives)) for line in _apart(path)[1]}
    others = [path for path in declared.files(kata.mutants) if path != mutant.path]
    seen = Counter(line for path in others for line in dict.fromkeys(line.strip() for line in _apart(path)[1]) if line)
    marked = tuple(
        (bool(line.strip()) and line.strip() not in right and seen[line.strip()] < len(others) / 4, line)
        for line in wrong
    )
    has = {line.strip() for line in wrong}
    missing = [line for line, count in seen.items() if line not in has and count > len(others) * 3 / 4]
    return marked, tuple(missing) if len(missing) <= _MOST_MISSING else ()


def _diff(right: Path, wrong: list[str], mutant: Mutant) -> list[str]:
    _, lines = _apart(right)
    return list(difflib.unified_diff(lines, wrong, right.name, f"{mutant.name}.py", lineterm=""))


def _apart(path: Path) -> tuple[str, list[str]]:
    """A module's docstring, and its lines without it."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    lines = source.splitlines()
    docstring = ast.get_docstring(tree)
    if docstring is None:
        return "", lines
    return docstring, lines[tree.body[0].end_lineno :]
