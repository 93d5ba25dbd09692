"""`dojo test`, `hint`, `solution` and `reset`: working on a kata."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dojo import practice
from dojo.catalog import Catalog, Kata, resolve_impl
from dojo.cli.terminal import (
    GREEN,
    RED,
    USAGE,
    ToolFailure,
    catalog,
    complain,
    console,
    fail,
    kata_here,
    place,
    say,
    typed,
)

if TYPE_CHECKING:
    from dojo.runner import RunResult

Katas = Annotated[
    list[str] | None,
    typer.Argument(metavar="KATA", help="A name, track/name, a path, a prefix or a whole track.", show_default=False),
]
OneKata = Annotated[
    str | None,
    typer.Argument(
        metavar="KATA", help="Default: the one you are in, else the one `dojo` says is next.", show_default=False
    ),
]


def run_tests(
    katas: Katas = None,
    impl: Annotated[
        Path | None, typer.Option(metavar="TREE", help="Test another directory or file than your own.")
    ] = None,
    redis: Annotated[str, typer.Option(metavar="fake|valkey|URL", help="The server that the tests run on.")] = "fake",
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON document.")] = False,
) -> None:
    """Run katas' tests and show the rules that hold, with the first failure in full.

    Without KATA: what TREE implements, or of your own the kata whose directory you are in, else
    every one that you have started.

    \b
    Example:
      dojo test rate_limiter
      dojo test messaging --impl solutions
    """
    found = catalog()
    if impl is not None and not impl.exists():
        fail(f"no implementation at {impl}. Name a directory or one Python file.", USAGE)
    if redis != "fake":
        _reach(redis)
    results = []
    for kata in _chosen(found, katas, impl):
        result = _run(kata, impl, redis)
        results.append(result)
        if not as_json:
            _report(kata, result, impl)
    if as_json:
        say(json.dumps([result.to_json() for result in results], indent=2))
    elif len(results) > 1:
        say(f"{sum(result.green for result in results)} of {len(results)} katas green", style="bold")
    raise typer.Exit(GREEN if all(result.green for result in results) else RED)


def hint(
    kata: OneKata = None,
    show_all: Annotated[bool, typer.Option("--all", help="Every hint at once.")] = False,
) -> None:
    """The next hint for a kata: each time a step closer, four in all.

    \b
    Example:
      dojo hint rate_limiter
    """
    found = catalog()
    chosen = _one(found, kata)
    hints = practice.read_hints(chosen)
    seen = practice.load(found.root).get(chosen.name, practice.Progress()).hints
    shown = len(hints) if show_all else min(seen + 1, len(hints))
    for one in hints if show_all else hints[shown - 1 : shown]:
        say(f"{chosen.name}, hint {one.number} of {len(hints)}: {one.title}", style="bold")
        say()
        _markdown(one.text)
        say()
    practice.record_hints(chosen, shown)
    if shown < len(hints):
        say(f"One more step: {typed('dojo')} hint {chosen.name}")
    else:
        say(f"That was the last hint. The solution: {typed('dojo')} solution {chosen.name} --give-up")


def solution(
    kata: OneKata = None,
    give_up: Annotated[bool, typer.Option("--give-up", help="Show it although yours is not green.")] = False,
) -> None:
    """The reference solution, once your own is green.

    \b
    Example:
      dojo solution rate_limiter
      dojo solution rate_limiter --give-up
    """
    found = catalog()
    chosen = _one(found, kata)
    if not chosen.solution.is_file():
        raise ToolFailure(f"{chosen.id} has no solution at {chosen.solution}. Restore it from a fresh clone.")
    if not give_up:
        before = practice.load(found.root).get(chosen.name, practice.Progress())
        # Green once is enough, also if it was plain pytest that said so: then we see for ourselves.
        if before.solved_at is None and not _run(chosen, None, "fake").green:
            complain(f"{chosen.name} is not green yet, so its solution stays hidden.")
            complain(f"  see what is left   {typed('dojo')} test {chosen.name}")
            complain(f"  a hint             {typed('dojo')} hint {chosen.name}")
            complain(f"  show it anyway     {typed('dojo')} solution {chosen.name} --give-up")
            raise typer.Exit(RED)
    say(f"{place(chosen.solution)}\n", style="bold")
    _python(chosen.solution.read_text(encoding="utf-8"))


def reset(
    katas: Annotated[list[str], typer.Argument(metavar="KATA", help="Which katas to start afresh.")],
) -> None:
    """Put a kata back to its stub. What you wrote is kept, and you are told where.

    \b
    Example:
      dojo reset rate_limiter
    """
    for kata in catalog().select(katas):
        backup = practice.reset(kata)
        if backup is None:
            say(f"{place(kata.stub)} is the stub; there was nothing of yours to keep.")
        else:
            say(f"{place(kata.stub)} is the stub again. What you wrote: {place(backup)}")


def _markdown(text: str) -> None:
    """Laid out for a reader at a terminal; as it stands for everything else."""
    out = console()
    if out.is_terminal:
        from rich.markdown import Markdown

        out.print(Markdown(text), width=min(out.width, 100), soft_wrap=False)
    else:
        say(text)


def _python(source: str) -> None:
    out = console()
    if out.is_terminal and not out.no_color:
        from rich.syntax import Syntax

        out.print(Syntax(source, "python", theme="ansi_dark", background_color="default"))
    else:
        say(source)


def _chosen(found: Catalog, queries: list[str] | None, impl: Path | None) -> tuple[Kata, ...]:
    if queries:
        return found.select(queries)
    if impl is not None:
        handed_in = tuple(kata for kata in found if resolve_impl(impl, kata) is not None)
        return handed_in or fail(f"{impl} implements no kata. Call its files like the katas.", USAGE)
    if (here := kata_here(found)) is not None:
        return (here,)
    standing = practice.states(found)
    begun = tuple(kata for kata in found if standing[kata.name] in ("started", "changed", "solved"))
    return begun or (_one(found, None),)


def _one(found: Catalog, query: str | None) -> Kata:
    if query is not None:
        return found.find(query)
    if (here := kata_here(found)) is not None:
        return here
    following = practice.next_kata(found, practice.states(found))
    if following is None:
        fail("Which kata? `dojo list` shows them all.", USAGE)
    return following


def _reach(redis: str) -> None:
    """Find out once, before any kata runs, that a server cannot be had."""
    from dojo.lab.errors import LabError
    from dojo.lab.servers import open_backend

    try:
        open_backend(redis).close()
    except LabError as error:
        fail(str(error), USAGE)


def _run(kata: Kata, impl: Path | None, redis: str) -> RunResult:
    """Run a kata's tests; a green run of the learner's own file is remembered.

    The output of a red run is the first failing test's.
    """
    from dojo.runner import RunnerError, run

    file = resolve_impl(impl or kata.root / "katas", kata)
    if file is None:
        if impl is None:
            remedy = f"`{typed('dojo')} reset {kata.name}` restores the stub."
            fail(f"{place(kata.stub)} is gone. {remedy}", USAGE)
        fail(f"{impl} does not implement {kata.name}. Call the file {kata.name}.py.", USAGE)
    text = file.read_bytes()  # before the run: an edit made during it has not been tested
    try:
        result = run(kata, file, redis=redis)
        if result.status == "red" and result.output.strip():
            # All tests print into one stream; what one looks for is what the failing test printed.
            alone = run(kata, file, redis=redis, only=[result.failed[0].name])
            result = replace(result, output=alone.output)
    except RunnerError as error:
        raise ToolFailure(str(error)) from error
    if result.green and impl is None:
        practice.record_green(kata, text)
    return result


def _report(kata: Kata, result: RunResult, impl: Path | None) -> None:
    from dojo.cli.checklist import show

    show(kata, result)
    if result.green and impl is None:
        say(f"  compare  {typed('dojo')} solution {kata.name}")
        say(f"  go on    {typed('dojo')}\n")
