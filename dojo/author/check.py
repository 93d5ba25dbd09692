"""`dojo author check`: is each kata done? One table, and a line for whatever is not."""

from __future__ import annotations

import json as json_format
import sys
from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from dojo.author.gate import Checked, check
from dojo.catalog import load
from dojo.runner import RunnerError


def main(names: list[str], json: bool, fast: bool) -> int:
    """Checks the named katas, or the whole syllabus; returns 0 if all are done, 1 if not, 3 if it failed itself.

    Raises CatalogError if a name is unknown.
    """
    catalog = load()
    katas = catalog.select(names) if names else catalog.katas
    console = Console(highlight=False, markup=False, emoji=False, width=240)
    try:
        found = check(katas, fast=fast, tell=_progress)
    except RunnerError as error:
        print(error, file=sys.stderr)
        return 3
    finally:
        _progress("")
    if json:
        print(json_format.dumps([_as_json(one) for one in found], indent=2))
    else:
        console.print(_table(found), soft_wrap=True)
        for one in found:
            for complaint in one.complaints:
                console.print(f"{one.kata.name}: {complaint}", soft_wrap=True)
        done = sum(one.done for one in found)
        console.print(f"{done} of {len(found)} katas done", style="bold green" if done == len(found) else "bold red")
    return 0 if all(one.done for one in found) else 1


def _progress(text: str) -> None:
    """One line that overwrites itself, for somebody who waits at a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _table(found: Sequence[Checked]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    # The widest column comes last, so that a narrow terminal wraps only that one.
    for heading in (
        "kata",
        "tests",
        "stub",
        "solution",
        "mutants",
        "alternatives",
        "score",
        "CPU s",
        "mutants by rule",
    ):
        to_the_left = heading in ("kata", "solution", "mutants by rule")
        table.add_column(heading, no_wrap=True, justify="left" if to_the_left else "right")
    for one in found:
        table.add_row(*_cells(one), style=None if one.done else "red")
    return table


def _cells(one: Checked) -> list[str]:
    tests = 0 if one.solution is None else len(one.solution.tests)
    return [
        one.kata.id,
        str(tests or "-"),
        "-" if one.stub is None else f"{len(one.stub.failed)} fail",
        "-" if one.solution is None else one.solution.status,
        f"{len(one.dead)}/{len(one.mutants)}",
        f"{len(one.spared)}/{len(one.alternatives)}",
        _score(one),
        "-" if one.solution is None else f"{one.solution.cpu_seconds:.2f}",
        " ".join(f"{rule}:{count}" for rule, count in sorted(_by_rule(one).items())) or "-",
    ]


def _by_rule(one: Checked) -> Counter[int]:
    """How many mutants die by each rule."""
    return Counter(mutant.rule for mutant in one.dead)


def _score(one: Checked) -> str:
    if one.score is None:
        return "-"
    explained = f" +{len(one.score.explained)} explained" if one.score.explained else ""
    return f"{one.score.ratio:.1%} of {one.score.total}{explained}"


def _as_json(one: Checked) -> dict[str, object]:
    return {
        "kata": one.kata.id,
        "done": one.done,
        "tests": 0 if one.solution is None else len(one.solution.tests),
        "stub": None
        if one.stub is None
        else {"failing": len(one.stub.failed), "missing": sum(test.kind == "missing" for test in one.stub.tests)},
        "solution": None if one.solution is None else one.solution.status,
        "cpu_seconds": None if one.solution is None else one.solution.cpu_seconds,
        "mutants": [
            {"name": mutant.name, "rule": mutant.rule, "trap": mutant.trap, "dead": mutant in one.dead}
            for mutant, _ in one.mutants
        ],
        "alternatives": [
            {"name": other.name, "design": other.design, "breaks": list(other.breaks), "spared": other in one.spared}
            for other, _ in one.alternatives
        ],
        "score": None
        if one.score is None
        else {
            "killed": one.score.killed,
            "total": one.score.total,
            "ratio": round(one.score.ratio, 4),
            "explained": len(one.score.explained),
        },
        "complaints": list(one.complaints),
    }
