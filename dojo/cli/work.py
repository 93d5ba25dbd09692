"""`dojo test` and `reset`: running a kata's tests, and starting it afresh."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dojo import practice
from dojo.catalog import Kata, resolve_impl
from dojo.cli.choice import Katas, several
from dojo.cli.terminal import GREEN, RED, USAGE, ToolFailure, catalog, fail, place, say, typed

if TYPE_CHECKING:
    from dojo.runner import RunResult


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
    for kata in several(found, katas, impl):
        result = run_kata(kata, impl, redis)
        results.append(result)
        if not as_json:
            _report(kata, result, impl)
    if as_json:
        say(json.dumps([result.to_json() for result in results], indent=2))
    elif len(results) > 1:
        say(f"{sum(result.green for result in results)} of {len(results)} katas green", style="bold")
    raise typer.Exit(GREEN if all(result.green for result in results) else RED)


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


def _reach(redis: str) -> None:
    """Find out once, before any kata runs, that a server cannot be had."""
    from dojo.lab.errors import LabError
    from dojo.lab.servers import open_backend

    try:
        open_backend(redis).close()
    except LabError as error:
        fail(str(error), USAGE)


def run_kata(kata: Kata, impl: Path | None, redis: str) -> RunResult:
    """Run a kata's tests; a run of the learner's own file is remembered.

    The output of a red run is the first failing test's.
    """
    from dojo.runner import RunnerError, rules, run

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
    if impl is None:
        held = rules(result)
        kept = sum(rule.outcome == "passed" for rule in held)
        with practice.history(kata.root) as past:
            practice.record_attempt(past, kata.name, text, result.status, kept=kept, rules=len(held), where="test")
    return result


def _report(kata: Kata, result: RunResult, impl: Path | None) -> None:
    from dojo.cli.checklist import show

    show(kata, result)
    if result.green and impl is None:
        if kata.solution.is_file():
            say(f"  compare  {typed('dojo')} diff {kata.name}")
        say(f"  ask      {typed('dojo')} further {kata.name}")
        say(f"  go on    {typed('dojo')}\n")
