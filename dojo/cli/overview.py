"""`dojo` and `dojo list`: where am I, what next."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dojo.catalog import Kata
from dojo.cli.terminal import catalog, console, place, say, table, typed
from dojo.practice import Progress, State, load, next_kata, states

WORDS: dict[State, str] = {
    "solved": "solved",
    "changed": "solved, edited since",
    "started": "in progress",
    "new": "not started",
    "incomplete": "incomplete",
}
_STYLES: dict[State, str | None] = {
    "solved": "green",
    "changed": "green",
    "started": "yellow",
    "new": None,
    "incomplete": "red",
}


def dojo(context: typer.Context) -> None:
    """Practise backend reliability: races, crashes and time as ordinary unit tests.

    Without a command: your progress, and what to do next.

    \b
    Example:
      dojo
    """
    if context.invoked_subcommand is not None:
        return
    katas = catalog()
    standing = states(katas)
    done = sum(state in ("solved", "changed") for state in standing.values())
    say(f"{done} of {len(katas)} katas solved\n", style="bold")
    following = next_kata(katas, standing)
    rows = [[">" if kata is following else " ", kata.name, WORDS[standing[kata.name]], kata.title] for kata in katas]
    table(rows, [_STYLES[standing[kata.name]] for kata in katas])
    say()
    if following is None:
        _after_the_last(standing)
    else:
        _next(following, standing[following.name], load(katas.root).get(following.name))


def list_katas(
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON document.")] = False,
) -> None:
    """The syllabus, in teaching order, with your progress.

    \b
    Example:
      dojo list
      dojo list --json
    """
    katas = catalog()
    standing = states(katas)
    if as_json:
        say(json.dumps([_as_json(kata, standing[kata.name]) for kata in katas], indent=2))
        return
    rows = [["kata", "track", "difficulty", "minutes", "needs", "state"]]
    for kata in katas:
        needs = ", ".join(kata.needs) or "-"
        level = f"{kata.difficulty} of 5"
        rows.append([kata.name, kata.track, level, str(kata.minutes), needs, WORDS[standing[kata.name]]])
    table(rows, ["bold", *(_STYLES[standing[kata.name]] for kata in katas)])


def _next(kata: Kata, state: State, progress: Progress | None) -> None:
    verb = "Go on with" if state == "started" else "Next"
    again = " (you have solved it before)" if progress and progress.solved_at else ""
    say(f"{verb}: {kata.title}{again}", style="bold")
    say(f"{kata.id}, difficulty {kata.difficulty} of 5, about {kata.minutes} minutes\n")
    out = console()
    for what, how in (
        ("read", place(kata.readme)),
        ("edit", place(kata.stub)),
        ("test", f"{typed('dojo')} test {kata.name}"),
        ("or", f"{typed('pytest')} {place(kata.directory)}"),
        ("stuck?", f"{typed('dojo')} hint {kata.name}"),
    ):
        out.print(f"  {what:<7} {how}")


def _after_the_last(standing: dict[str, State]) -> None:
    if "incomplete" in standing.values():
        names = ", ".join(name for name, state in standing.items() if state == "incomplete")
        say(f"Files are missing from: {names}. `{typed('dojo')} doctor` names them.")
        return
    say(f"All solved. `{typed('dojo')} reset KATA` gives you a fresh stub and keeps what you wrote.")


def _as_json(kata: Kata, state: State) -> dict[str, object]:
    return {
        "track": kata.track,
        "name": kata.name,
        "title": kata.title,
        "difficulty": kata.difficulty,
        "minutes": kata.minutes,
        "needs": list(kata.needs),
        "state": state,
        "directory": str(kata.directory),
    }
