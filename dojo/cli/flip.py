"""`dojo flip`: the learner writes the tests, the repository's right and wrong solutions judge them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dojo import practice
from dojo.catalog import Kata
from dojo.cli.choice import OneKata, one
from dojo.cli.terminal import (
    GREEN,
    RED,
    USAGE,
    ToolFailure,
    catalog,
    complain,
    console,
    fail,
    place,
    refuse_in_a_class,
    say,
    typed,
)

if TYPE_CHECKING:
    from dojo.author.declared import Mutant
    from dojo.flip import Flip, Reveal


def flip(
    kata: OneKata = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew; what you wrote is kept.")] = False,
    show: Annotated[
        str | None,
        typer.Option("--show", metavar="TRAP", help="The code of a survivor of this trap; that is recorded."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON document.")] = False,
) -> None:
    """You write the tests: how many wrong solutions do they kill, and do they spare the right ones?

    The first call makes a file with the contract and the rules, and no tests; each further call scores
    what you have written there. A test that rejects a right solution proves nothing, so its kills do
    not count. Say `Rule N.` first in a test's docstring if it is about one rule.

    \b
    Example:
      dojo flip rate_limiter
      dojo flip rate_limiter --show check-then-act
    """
    chosen = one(catalog(), kata)
    if fresh and show is not None:
        fail("--fresh begins anew and --show looks at a survivor: one at a time.", USAGE)
    refuse_in_a_class(chosen.root, "flip")
    if missing := [path for path in chosen.missing() if path != chosen.stub.relative_to(chosen.root)]:
        raise ToolFailure(f"{chosen.id} lacks {', '.join(map(str, missing))}. Restore it from a fresh clone.")
    if fresh or not chosen.flip.exists():
        _start(chosen, fresh, as_json)
    elif show is not None:
        _show(chosen, show, as_json)
    else:
        _score(chosen, as_json)


def _start(kata: Kata, fresh: bool, as_json: bool) -> None:
    from dojo.flip import start

    backup = start(kata, fresh=fresh)
    if as_json:
        say(json.dumps({"kata": kata.name, "file": str(kata.flip), "backup": backup and str(backup)}, indent=2))
        return
    say(f"{kata.name}, the other way round: you write the tests\n", style="bold")
    if backup is not None:
        say(f"  kept   {place(backup)}")
    say(f"  write  {place(kata.flip)}")
    say(f"  try    {typed('pytest')} {place(kata.flip.parent)} --impl solutions")
    say(f"  score  {typed('dojo')} flip {kata.name}\n")
    say("The file holds the contract and the rules, and no tests yet.")


def _score(kata: Kata, as_json: bool) -> None:
    from dojo.flip import UnfitTests

    try:
        result = _scored(kata)
    except UnfitTests as error:
        if as_json:
            say(json.dumps({"kata": kata.name, "file": str(kata.flip), "error": str(error)}, indent=2))
        else:
            complain(str(error))
        raise typer.Exit(RED) from None
    if as_json:
        say(json.dumps({**result.to_json(), "file": str(kata.flip)}, indent=2))
    else:
        from dojo.cli.matrix import show_flip

        show_flip(kata, result)
    raise typer.Exit(GREEN if result.perfect else RED)


def _scored(kata: Kata) -> Flip:
    """The learner's tests, scored and remembered."""
    from dojo.author.declared import DeclarationError
    from dojo.flip import record, score
    from dojo.runner import RunnerError

    if console().is_terminal:
        complain("Running your tests on every solution, right and wrong: some seconds …")
    try:
        result = score(kata)
    except (RunnerError, DeclarationError) as error:
        raise ToolFailure(str(error)) from error
    with practice.history(kata.root) as past:
        record(past, result)
    return result


def _show(kata: Kata, trap: str, as_json: bool) -> None:
    """Reveal the first survivor of a trap; ends with exit code 2 if there is none."""
    from dojo.flip import UnfitTests, reveal

    try:
        survivors = _survivors(kata)
    except UnfitTests as error:
        fail(str(error), RED)
    chosen = next((mutant for mutant in survivors if mutant.trap == trap), None)
    if chosen is None:
        left = ", ".join(dict.fromkeys(mutant.trap for mutant in survivors)) or "none"
        fail(f"no survivor of your tests is called {trap!r}. There are: {left}.", USAGE)
    with practice.history(kata.root) as past:
        past.record(kata.name, "reveal", mutant=chosen.name, trap=chosen.trap, rule=chosen.rule)
    shown = reveal(kata, chosen)
    if as_json:
        say(json.dumps(shown.to_json(), indent=2))
    else:
        _print_reveal(shown)


def _print_reveal(shown: Reveal) -> None:
    out = console()
    say(f"A survivor of rule {shown.mutant.rule}, {shown.mutant.trap}\n", style="bold")
    say(f"{shown.docstring}\n")
    if shown.diff:
        say(f"What a right solution has ({place(shown.beside)}), and what this one has instead:\n")
        for line in shown.diff:
            out.print(line, style={"-": "red", "+": "green", "@": "cyan"}.get(line[:1], ""))
        return
    if any(own for own, _ in shown.code):
        say("Marked with > are the lines that are its own; hardly another solution has them.\n")
    for own, line in shown.code:
        out.print(f"{'>' if own else ' '} {line}".rstrip(), style="red" if own else "")
    if shown.missing:
        say("\nNearly every other solution of this make also has:\n")
        for line in shown.missing:
            out.print(f"< {line}", style="green")


def _survivors(kata: Kata) -> list[Mutant]:
    """Those of the last score if the tests are the same; otherwise they are scored now."""
    from dojo.author.declared import mutants
    from dojo.flip import survivors_seen

    with practice.history(kata.root) as past:
        names = survivors_seen(past, kata)
    if names is None:
        return list(_scored(kata).survivors)
    found = sorted(mutants(kata), key=lambda mutant: (mutant.rule, mutant.trap, mutant.name))
    return [mutant for mutant in found if mutant.name in names]
