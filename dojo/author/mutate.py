"""`dojo author mutate KATA`: which small faults in a solution no test notices."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict

from rich.console import Console

from dojo.author import survivors
from dojo.author.score import GOAL, Score, Survivor, diff, score
from dojo.author.survivors import SurvivorsError
from dojo.catalog import Kata, load
from dojo.runner import RunnerError, run, warm


def main(name: str, json: bool) -> int:
    """Prints the survivors; returns 0 if the score is good, 1 if not, 3 if there was nothing to mutate.

    Raises CatalogError if no kata has that name.
    """
    kata = load().find(name)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    try:
        warm()
        solution = run(kata, kata.solution)
        if not solution.green:
            console.print(f"{kata.id}: its solution is {solution.status}; mutations tell nothing before it is green.")
            console.print(solution.detail)
            return 3
        result = score(kata, solution)
    except (RunnerError, SurvivorsError) as error:
        console.print(str(error))
        return 3
    source = kata.solution.read_text(encoding="utf-8")
    console.print(json_format.dumps(_as_json(result, source), indent=2) if json else _as_text(kata, result, source))
    return 0 if result.good and not result.stale else 1


def _as_text(kata: Kata, result: Score, source: str) -> str:
    name = kata.solution.relative_to(kata.root).as_posix()
    parts = [_one(survivor, source, name) for survivor in (*result.explained, *result.unexplained)]
    if result.unexplained:
        where = survivors.path_of(kata).relative_to(kata.root).as_posix()
        parts.append(
            "A survivor is a rule without a test, or a line that the solution does not need. If you have read one\n"
            f"and it changes nothing that the README promises, say so in {where}:\n"
        )
        parts += [survivors.entry(survivor.mutation, source) for survivor in result.unexplained]
    parts += [f"{key}: explained in survivors.toml, but it does not survive. Remove the entry." for key in result.stale]
    parts.append(
        f"{kata.name}: {result.killed} of {result.total} mutations noticed, {result.ratio:.1%} "
        f"(goal {GOAL:.0%}); {len(result.explained)} more explained; {result.cpu_seconds:.1f} s of CPU"
    )
    return "\n".join(parts)


def _one(survivor: Survivor, source: str, name: str) -> str:
    why = f"explained: {survivor.why}\n" if survivor.why else ""
    return f"{diff(survivor.mutation, source, name)}\n{why}"


def _as_json(result: Score, source: str) -> dict[str, object]:
    def told(survivor: Survivor) -> dict[str, object]:
        place = survivor.mutation
        return {
            "id": place.id,
            "line": place.line,
            "diff": diff(place, source, f"{result.kata}.py"),
            "why": survivor.why,
        }

    return {
        **{key: value for key, value in asdict(result).items() if key in ("kata", "killed", "stale", "cpu_seconds")},
        "total": result.total,
        "score": round(result.ratio, 4),
        "survivors": [told(survivor) for survivor in result.unexplained],
        "explained": [told(survivor) for survivor in result.explained],
    }
