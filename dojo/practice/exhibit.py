"""Wrong code made ready for review: nothing in it says what is wrong, and we know on which lines it is.

A mutant is seldom the reference solution with one line changed: most of a kata's mutants are variations of another
right design. So a line is at fault if the mutant's nearest relatives, which are the solution, the alternatives and
the other mutants, agree in having something else there: each relative has its own mistake elsewhere.
"""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dojo.catalog import Kata
from dojo.practice.bench import PracticeError
from dojo.practice.history import Event

NEAREST = 7
"""So many relatives have a say, if they are about as near as the nearest."""
MOST_FAULTS = 15
"""With more lines at fault it is another program, not a slip, and no line is the answer."""
NEAR = 1
"""An answer this many lines beside a line at fault is right."""

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_RULE = re.compile(r"Rule (\d+)\.\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Exhibit:
    code: str
    faults: tuple[int, ...]
    """Numbers of lines of `code`, from 1; never empty."""
    mended: tuple[str, ...]
    """The lines at fault, each after `- `, and what most relatives have there, each after `+ `."""

    def distance(self, line: int) -> int:
        """How many lines an answer is from the nearest line at fault."""
        return min(abs(line - fault) for fault in self.faults)


def exhibit(mutant: str, solution: str, relatives: Iterable[str]) -> Exhibit | None:
    """The code of a mutant for review, from source texts; None if no line can be named.

    That is so if it differs from the solution in comments only, or in too much. Raises SyntaxError.
    """
    contract = ast.get_docstring(ast.parse(solution), clean=False)
    code = stripped(mutant, solution)
    if _bare(code) == _bare(stripped(solution, solution)):
        return None
    numbers, mine = _essential(code)
    others = [_essential(text)[1] for text in (solution, *relatives)]
    others = [other for other in others if other != mine]
    faults = _faults(mine, others)
    if not 0 < len(faults) <= MOST_FAULTS:
        return None
    gap = "\n\n" if code.startswith(("import", "from")) else "\n\n\n"
    head = f'"""{contract}"""{gap}' if contract else ""
    shift = head.count("\n")
    return Exhibit(head + code, tuple(numbers[fault] + shift for fault in faults), _mended(mine, others, faults))


def stripped(source: str, solution: str) -> str:
    """The text without comments, without the module's docstring, and without docstrings that `solution` lacks."""
    promised = _promised(solution)
    lines, dropped = _without_comments(source)
    for node, text in _docstrings(ast.parse(source)):
        if text in promised and not isinstance(node, ast.Module):
            continue
        first = node.body[0]
        dropped.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
        if len(node.body) == 1 and not isinstance(node, ast.Module):
            dropped.discard(first.lineno)
            lines[first.lineno - 1] = " " * first.col_offset + "..."
    kept = "\n".join(line for row, line in enumerate(lines, start=1) if row not in dropped)
    return re.sub(r"\n{4,}", "\n\n\n", kept).strip("\n") + "\n"


@functools.lru_cache(maxsize=8)
def _promised(solution: str) -> frozenset[str]:
    return frozenset(text for _, text in _docstrings(ast.parse(solution)))


def _without_comments(source: str) -> tuple[list[str], set[int]]:
    """The lines, and the numbers of those of which nothing is left."""
    lines = source.splitlines()
    empty: set[int] = set()
    if "#" not in source:
        return lines, empty
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
            if not lines[row - 1]:
                empty.add(row)
    return lines, empty


def _docstrings(node: ast.AST) -> Iterator[tuple[_Documented, str]]:
    """What has a docstring, statements only: expressions hold none, and most of a tree is expressions."""
    if isinstance(node, _Documented) and (text := ast.get_docstring(node)) is not None:
        yield node, text
    for name in ("body", "orelse", "finalbody", "handlers"):
        parts = getattr(node, name, ())
        for part in parts if isinstance(parts, list) else ():
            yield from _docstrings(part)


def _bare(code: str) -> str:
    return ast.dump(ast.parse(code))


def _essential(code: str) -> tuple[list[int], list[str]]:
    """The lines that are neither blank nor docstrings nor comments, with their numbers."""
    lines, dropped = _without_comments(code)
    for node, _ in _docstrings(ast.parse(code)):
        dropped.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    found = [(row, line.rstrip()) for row, line in enumerate(lines, start=1) if line.strip() and row not in dropped]
    return [row for row, _ in found], [line for _, line in found]


def _faults(mine: Sequence[str], others: Iterable[Sequence[str]]) -> list[int]:
    """The indices of the lines where most of the nearest relatives have something else."""
    measured = sorted((_differing(mine, other) for other in others), key=len)
    near = [differing for differing in measured if len(differing) <= 2 * len(measured[0]) + 2][:NEAREST]
    votes = Counter(index for differing in near for index in differing)
    found = sorted(index for index, count in votes.items() if 2 * count > len(near))
    # An import goes with what is done with it.
    return [index for index in found if not _is_import(mine[index])] or found


def _differing(mine: Sequence[str], other: Sequence[str]) -> set[int]:
    """Where `mine` is not like `other`; of a line that it lacks, the lines before and after."""
    found: set[int] = set()
    for tag, _, _, start, end in difflib.SequenceMatcher(None, other, mine, autojunk=False).get_opcodes():
        if tag == "delete":
            found.update(index for index in (start - 1, start) if 0 <= index < len(mine))
        elif tag != "equal":
            found.update(range(start, end))
    return found


def _is_import(line: str) -> bool:
    return line.startswith(("import ", "from "))


def _mended(mine: Sequence[str], others: Iterable[Sequence[str]], faults: Sequence[int]) -> tuple[str, ...]:
    """The change that makes the lines at fault like most relatives have them; some may be wrong there too."""
    return Counter(_change(mine, other, set(faults)) for other in others).most_common(1)[0][0]


def _change(mine: Sequence[str], other: Sequence[str], wanted: set[int]) -> tuple[str, ...]:
    lines: list[str] = []
    for tag, start, end, first, last in difflib.SequenceMatcher(None, other, mine, autojunk=False).get_opcodes():
        touched = set(range(first, last)) if last > first else {first - 1, first}
        if tag != "equal" and touched & wanted:
            lines += [f"- {line}" for line in mine[first:last]]
            lines += [f"+ {line}" for line in other[start:end]]
    return tuple(lines)


def read_rules(kata: Kata) -> dict[int, str]:
    """The rules by number, as the docstrings of the kata's tests state them. Raises PracticeError."""
    try:
        tree = ast.parse(kata.test_file.read_bytes())
    except (OSError, SyntaxError) as error:
        raise PracticeError(f"{kata.test_file} cannot be read: {error}. Restore it from a fresh clone.") from error
    found: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            first = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            if match := _RULE.match(first):
                found.setdefault(int(match[1]), match[2])
    return dict(sorted(found.items()))


def in_turn(kata: Kata, mutants: Iterable[str], events: Iterable[Event], seed: int | None) -> list[str]:
    """The mutants' names, the one that was reviewed longest ago first; those never reviewed before all others.

    Among equals the order looks random, but is the same each time; `seed` gives another.
    """
    last: Mapping[str, datetime] = {
        str(event.data.get("mutant")): event.at
        for event in events
        if event.kind == "review" and event.kata == kata.name
    }

    def key(name: str) -> tuple[bool, str, str]:
        lot = hashlib.sha256(f"{seed or 0} {kata.name} {name}".encode()).hexdigest()
        return name in last, last[name].isoformat() if name in last else "", lot

    return sorted(mutants, key=key)
