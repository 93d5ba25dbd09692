"""What a mutant or an alternative says about itself in its docstring.

A mutant:                                       An alternative:

    \"\"\"GET, compare, INCR.                          \"\"\"One Lua script.

    Trap: check-then-act                            Design: Lua script
    Rule: 4                                         Breaks: none
    Published: in tutorials on rate limiting        \"\"\"
    \"\"\"

`Published:` says of a mutant where people have learnt that mistake; most have no such line.

`Breaks:` may name rules that a library really breaks, with the reason: `Breaks: 7 because it rounds up`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from dojo.catalog import Kata

_FIELD = re.compile(r"^(Trap|Rule|Published|Design|Breaks):[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)


class DeclarationError(Exception):
    """A mutant or an alternative does not say what it must; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A wrong solution, and the test that must reject it."""

    path: Path
    trap: str
    rule: int
    says: str
    """What it does, in one line."""
    published: str
    """Where the mistake is taught, or empty."""

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass(frozen=True, slots=True)
class Alternative:
    """A right solution of another design, and the rules that it is known to break."""

    path: Path
    design: str
    breaks: tuple[int, ...]
    reason: str

    @property
    def name(self) -> str:
        return self.path.stem


def files(directory: Path) -> tuple[Path, ...]:
    """The Python files of a directory of mutants or alternatives, by name."""
    return tuple(sorted(path for path in directory.glob("*.py") if path.name != "__init__.py"))


def mutant(path: Path) -> Mutant:
    """Reads a mutant's docstring. Raises DeclarationError if `Trap:` or `Rule:` is missing or wrong."""
    fields = _fields(path)
    trap, rule = fields.get("Trap", ""), fields.get("Rule", "")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", trap):
        raise DeclarationError(f"{path.name}: its docstring needs a line `Trap: kebab-case-name`.")
    if not re.fullmatch(r"\d+", rule):
        raise DeclarationError(f"{path.name}: its docstring needs a line `Rule: N`, one number.")
    says = (_docstring(path).splitlines() or [""])[0]
    return Mutant(path, trap, int(rule), says, fields.get("Published", ""))


def alternative(path: Path) -> Alternative:
    """Reads an alternative's docstring. Raises DeclarationError if `Breaks:` is missing or unexplained."""
    fields = _fields(path)
    breaks = fields.get("Breaks", "")
    if breaks.rstrip(".").strip() == "none":
        return Alternative(path, fields.get("Design", ""), (), "")
    rules, because, reason = breaks.partition("because")
    numbers = tuple(int(number) for number in re.findall(r"\d+", rules))
    if not numbers or not because or not reason.strip():
        raise DeclarationError(f"{path.name}: its docstring needs a line `Breaks: none` or `Breaks: 7 because …`.")
    return Alternative(path, fields.get("Design", ""), numbers, reason.strip())


def mutants(kata: Kata) -> tuple[Mutant, ...]:
    """The kata's mutants, by file name. Raises DeclarationError at the first that is not well declared."""
    return tuple(mutant(path) for path in files(kata.mutants))


def alternatives(kata: Kata) -> tuple[Alternative, ...]:
    """The kata's alternatives, by file name. Raises DeclarationError like `mutants`."""
    return tuple(alternative(path) for path in files(kata.alternatives))


def _fields(path: Path) -> dict[str, str]:
    return {name: " ".join(text.split()) for name, text in _FIELD.findall(_docstring(path))}


def _docstring(path: Path) -> str:
    try:
        return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (SyntaxError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path.name} is not valid Python: {error}.") from error
