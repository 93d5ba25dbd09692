"""`dojo` and `dojo list`: where am I, what next."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dojo.catalog import Kata
from dojo.cli.terminal import catalog, console, place, say, table, typed
from dojo.practice import Progress, State, load, next_kata, states, way_to

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


def next_step(
    goal: Annotated[
        str | None, typer.Argument(metavar="[KATA or TRACK]", help="Where you want to get. Default: through all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON document.")] = False,
) -> None:
    """The kata to do next, and the way to the one that you want to be able to do.

    What a kata builds on comes before it.

    \b
    Example:
      dojo next
      dojo next dlq_router
      dojo next messaging --json
    """
    katas = catalog()
    standing = states(katas)
    if goal is None:
        following = next_kata(katas, standing)
        way = [following] if following else []
    else:
        chosen = katas.select([goal])
        needed = {kata.name for one in chosen for kata in way_to(katas, standing, one)}
        way = [kata for kata in katas if kata.name in needed]
    if as_json:
        say(json.dumps([_as_json(kata, standing[kata.name]) for kata in way], indent=2))
        return
    if not way and goal is None:
        _after_the_last(standing)
        return
    if not way:
        say(f"Solved already: {', '.join(kata.name for kata in chosen)}.")
        return
    if len(way) > 1:
        say(f"{len(way)} katas, about {sum(kata.minutes for kata in way)} minutes\n", style="bold")
        rows = [[kata.name, f"builds on {', '.join(kata.needs)}" if kata.needs else "", kata.title] for kata in way]
        table(rows, [_STYLES[standing[kata.name]] for kata in way])
        say()
    _next(way[0], standing[way[0].name], load(katas.root).get(way[0].name))
    for what, names in (
        ("needs", list(way[0].needs)),
        ("opens", [kata.name for kata in katas if way[0].name in kata.needs]),
    ):
        if names:
            say(f"  {what:<7} {', '.join(names)}")


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
