"""The red-team corpus: submissions that try to gain points without solving the kata, or to do harm.

A numbered file in `redteam/` is handed in as the file of its kata; a numbered function in one of the modules beside
them builds a whole folder of submissions, in which the offender is called `mallory`. What a correct grader says of each
stands in its docstring. Whatever a submission reaches that it must not reach it tells with the word HARM, in an error,
a file or its output.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .redteam import archives, odd_but_right, sources, trees, turns

HERE = Path(__file__).parent / "redteam"
HARM = "HARM"
DAEMON = "redteam-daemon"
"""What every process is called that tries to outlive its submission."""
ME = "mallory"
"""The student in each folder that a builder makes."""


@dataclass(frozen=True)
class Attack:
    """One hostile submission, or an honest one that looks odd."""

    name: str
    number: int
    """The class in the list of grader.md; 0 for the honest."""
    kata: str
    attack: str
    status: tuple[str, ...]
    """What a correct grader says of the kata, mostly just one status. Several, where the machine's limits decide how
    an attack ends, or where more than one defence is right."""
    points: int
    """How many tests it may pass: those of its honest part."""
    flags: tuple[str, ...]
    """Words that occur in the verdict's flags, where a correct grader can only flag."""
    needs: str
    """What must be confined before this is run at all: processes, memory, disk, tree, daemon, ipc, network, terminal.
    Without that it harms the machine that grades. Empty if a process group and limits are enough."""
    source: Path | Callable[[Path], None]
    """The file, or a builder that is given an empty folder of submissions."""


def corpus() -> list[Attack]:
    """All attacks, by class; without the honest submissions."""
    files = [_attack(path.stem, path.read_text(encoding="utf-8"), path) for path in sorted(HERE.glob("[0-9]*.py"))]
    builders = [_attack(name, inspect.getdoc(build) or "", build) for name, build in _builders("n[01][1-9]_")]
    return sorted([*files, *builders], key=lambda attack: (attack.number, attack.name))


def honest() -> list[Attack]:
    """Odd submissions that get just the points that they earn."""
    files = [_attack(path.stem, path.read_text(encoding="utf-8"), path) for path in (HERE / "honest").glob("*.py")]
    builders = [_attack(name, inspect.getdoc(build) or "", build) for name, build in _builders("n00_")]
    return sorted([*files, *builders], key=lambda attack: attack.name)


def _builders(names: str) -> list[tuple[str, Callable[[Path], None]]]:
    found = [pair for module in (trees, archives, sources, odd_but_right, turns) for pair in vars(module).items()]
    return [(name.removeprefix("n"), build) for name, build in found if re.match(names, name)]


def _attack(name: str, text: str, source: Path | Callable[[Path], None]) -> Attack:
    told = dict(re.findall(r"^ *(Kata|Attack|Status|Points|Flags|Needs): (.*?)\r?$", text, re.MULTILINE))
    number = re.match(r"(\d\d)_", name)
    return Attack(
        name=name,
        number=int(number[1]) if number else 0,
        kata=told["Kata"],
        attack=told["Attack"],
        status=tuple(told["Status"].split(" or ")),
        points=int(told["Points"]),
        flags=tuple(word.strip() for word in told["Flags"].split(",")) if "Flags" in told else (),
        needs=told.get("Needs", ""),
        source=source,
    )
