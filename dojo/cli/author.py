"""`dojo author …`: for those who write katas."""

from __future__ import annotations

import difflib
import json
from typing import Annotated

import typer

from dojo.catalog import Kata
from dojo.cli.terminal import (
    GREEN,
    RED,
    TOOL_FAILED,
    catalog,
    complain,
    fail,
    place,
    refuse_in_a_class,
    say,
    table,
    typed,
)
from dojo.readme import current
from dojo.stubs import StubError, stub_of, write_stub

app = typer.Typer(
    help="For those who write katas: the gate, mutation scores, stubs and the syllabus table.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Katas = Annotated[
    list[str] | None,
    typer.Argument(metavar="KATA", help="Default: the whole syllabus.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="For scripts: one JSON document.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if something would change.")]


@app.command()
def check(
    katas: Katas = None,
    fast: Annotated[bool, typer.Option("--fast", help="Leave out the mutation scores.")] = False,
    as_json: Json = False,
) -> None:
    """Run the gate on katas: stub, solution, mutants, alternatives, mutation score, texts.

    \b
    Example:
      dojo author check
      dojo author check rate_limiter --fast
    """
    refuse_in_a_class(catalog().root, "author check")
    from dojo.author.check import main

    raise typer.Exit(main(katas or [], as_json, fast))


@app.command()
def mutate(
    kata: Annotated[str, typer.Argument(metavar="KATA", help="Whose solution to change.")],
    as_json: Json = False,
) -> None:
    """Make small changes to a solution and list those that no test notices.

    \b
    Example:
      dojo author mutate rate_limiter
    """
    refuse_in_a_class(catalog().root, "author mutate")
    from dojo.author.mutate import main

    raise typer.Exit(main(kata, as_json))


@app.command()
def stubs(katas: Katas = None, check: Check = False) -> None:
    """Write each kata's stub as its solution implies it.

    With --check, for the committed tree: a stub with a learner's work in it differs, and should.

    \b
    Example:
      dojo author stubs --check
      dojo author stubs rate_limiter
    """
    refuse_in_a_class(catalog().root, "author stubs")
    stale = 0
    for kata in _chosen(katas):
        if not kata.solution.is_file():
            complain(f"{kata.id} has no solution yet: {place(kata.solution)}")
            stale += 1
            continue
        difference = _difference(kata)
        if not difference:
            say(f"{kata.id}: current")
        elif check:
            stale += 1
            say(f"{kata.id}: differs from its solution\n{difference}")
        else:
            say(f"{place(write_stub(kata))} written")
    if stale and check:
        complain(f"{stale} to write: {typed('dojo')} author stubs. Somebody's own work: dojo reset KATA keeps it.")
    raise typer.Exit(RED if stale else GREEN)


@app.command()
def traps(
    katas: Katas = None,
    published: Annotated[bool, typer.Option("--published", help="Only those that texts and libraries teach.")] = False,
    as_json: Json = False,
) -> None:
    """List the traps: which wrong solution falls into it, and which rule's test must reject that.

    \b
    Example:
      dojo author traps rate_limiter
      dojo author traps --published
    """
    refuse_in_a_class(catalog().root, "author traps")
    from dojo.author.declared import DeclarationError, mutants

    try:
        found = [
            (kata, mutant)
            for kata in _chosen(katas)
            for mutant in sorted(mutants(kata), key=lambda mutant: (mutant.rule, mutant.trap))
            if mutant.published or not published
        ]
    except DeclarationError as error:
        fail(str(error), TOOL_FAILED)
    rows = [
        {
            "kata": kata.name,
            "rule": mutant.rule,
            "trap": mutant.trap,
            "mutant": mutant.name,
            "says": mutant.says,
            "published": mutant.published,
        }
        for kata, mutant in found
    ]
    if as_json:
        say(json.dumps(rows, indent=2))
        return
    last = "published" if published else "says"
    shown = [["kata", "rule", "trap", "mutant", last]]
    shown += [[str(row[key]) for key in ("kata", "rule", "trap", "mutant", last)] for row in rows]
    table(shown, ["bold", *[None] * len(rows)])


@app.command()
def golden(
    katas: Katas = None,
    update: Annotated[bool, typer.Option("--update", help="Write the files instead of comparing.")] = False,
) -> None:
    """Compare what a learner sees for each mutant with the files under tests/golden.

    \b
    Example:
      dojo author golden
      dojo author golden rate_limiter --update
    """
    refuse_in_a_class(catalog().root, "author golden")
    from dojo.author.golden import main

    raise typer.Exit(main(_chosen(katas), update))


@app.command()
def readme(check: Check = False) -> None:
    """Write into README.md what it takes from elsewhere: the syllabus table and quoted messages.

    \b
    Example:
      dojo author readme --check
    """
    katas = catalog()
    path = katas.root / "README.md"
    text = path.read_text(encoding="utf-8")
    wanted = current(text, katas)
    if wanted == text:
        say("README.md is current")
        return
    if check:
        complain(
            "README.md differs from the syllabus or from a file that it quotes. "
            f"Write it: {typed('dojo')} author readme"
        )
        raise typer.Exit(RED)
    path.write_text(wanted, encoding="utf-8")
    say("README.md written")


def _chosen(queries: list[str] | None) -> tuple[Kata, ...]:
    katas = catalog()
    return katas.select(queries) if queries else katas.katas


def _difference(kata: Kata) -> str:
    """A unified diff from the stub that is there to the one that should be; empty if they are equal."""
    try:
        there = kata.stub.read_text(encoding="utf-8") if kata.stub.is_file() else ""
    except UnicodeDecodeError as error:
        raise StubError(f"{kata.stub} is not UTF-8: {error}.") from error
    name = place(kata.stub)
    lines = difflib.unified_diff(
        there.splitlines(), stub_of(kata).splitlines(), f"{name} (in the tree)", f"{name} (derived)", lineterm=""
    )
    return "\n".join(lines)
