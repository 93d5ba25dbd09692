"""`dojo progress`: what was done, and its way to another machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dojo import practice
from dojo.cli.terminal import USAGE, catalog, complain, fail, place, say, table
from dojo.practice.transfer import exported, imported

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON document.")] = False,
) -> None:
    """Attempts, hints and the time to green, kata by kata.

    \b
    Example:
      dojo progress
      dojo progress export > progress.json
    """
    if context.invoked_subcommand is not None:
        return
    found = catalog()
    known = practice.load(found.root)
    if as_json:
        say(json.dumps([_as_json(kata.name, known.get(kata.name, practice.Progress())) for kata in found], indent=2))
        return
    rows = [["kata", "attempts", "hints", "minutes", "first green", ""]]
    for kata in found:
        one = known.get(kata.name, practice.Progress())
        green = one.solved_at.astimezone().strftime("%Y-%m-%d") if one.solved_at else "-"
        spent = f"{one.minutes:.0f} of {kata.minutes}" if one.attempts else "-"
        rows.append([kata.name, str(one.attempts), str(one.hints), spent, green, "gave up" if one.gave_up else ""])
    table(rows, ["bold", *(None for _ in found)])


@app.command("export")
def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Default: standard output.", show_default=False)
    ] = None,
) -> None:
    """Write everything that is remembered as one JSON document.

    \b
    Example:
      dojo progress export progress.json
    """
    root = catalog().root
    with practice.history(root) as past:
        events = past.events()
    if file is None:
        say(exported(events).rstrip("\n"))
        return
    practice.write_atomically(file, exported(events).encode())
    say(f"{len(events)} events written to {place(file)}. On the other machine: dojo progress import {file.name}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `dojo progress export` wrote.")],
) -> None:
    """Merge another machine's history into this one: nothing is lost, nothing counted twice.

    \b
    Example:
      dojo progress import progress.json
    """
    found = catalog()
    try:
        events = imported(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}.", USAGE)
    except practice.PracticeError as error:
        fail(f"{file}: {error}", USAGE)
    with practice.history(found.root) as past:
        new = past.add(events)
    say(f"{new} events are new, {len(events) - new} were here already.")
    if unknown := sorted({event.kata for event in events if found.get(event.kata) is None}):
        complain(f"Kept, but not katas of this clone: {', '.join(unknown)}. Is it older? `git pull`.")


def _as_json(name: str, one: practice.Progress) -> dict[str, object]:
    return {
        "kata": name,
        "attempts": one.attempts,
        "greens": one.greens,
        "hints": one.hints,
        "gave_up": one.gave_up,
        "minutes": one.minutes,
        "solved_at": one.solved_at.isoformat() if one.solved_at else None,
    }
