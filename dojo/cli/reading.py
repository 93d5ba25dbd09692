"""`dojo hint`, `solution`, `diff` and `further`: what there is to read, each when it helps."""

from __future__ import annotations

import difflib
from typing import Annotated

import typer

from dojo import practice
from dojo.catalog import Kata
from dojo.cli.choice import OneKata, one
from dojo.cli.laid_out import markdown, python
from dojo.cli.side_by_side import show_side_by_side
from dojo.cli.terminal import (
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
from dojo.cli.work import run_kata

GiveUp = Annotated[bool, typer.Option("--give-up", help="Show it although yours is not green; that is recorded.")]


def hint(
    kata: OneKata = None,
    show_all: Annotated[bool, typer.Option("--all", help="Every hint at once.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Those you have seen, once more.")] = False,
) -> None:
    """The next hint for a kata: each a step closer, four in all.

    The first is free. Each further one unlocks with an attempt since the last: a run of the tests, or any
    change to your file.

    \b
    Example:
      dojo hint rate_limiter
    """
    found = catalog()
    chosen = one(found, kata)
    hints = practice.read_hints(chosen)
    before = practice.load(found.root).get(chosen.name, practice.Progress())
    if again:
        _show(chosen, hints[: before.hints], len(hints))
        if not before.hints:
            say(f"None yet. The first one: {typed('dojo')} hint {chosen.name}")
        return
    if show_all:
        shown = hints
    elif before.hints >= len(hints):
        shown = hints[-1:]
    elif practice.unlocked(chosen, before):
        shown = hints[before.hints : before.hints + 1]
    else:
        complain(
            f"Hint {before.hints + 1} of {len(hints)} unlocks with your next attempt: change something and test it."
        )
        complain(f"  test               {typed('dojo')} test {chosen.name}")
        complain(f"  the hints so far   {typed('dojo')} hint {chosen.name} --again")
        complain(f"  all of them now    {typed('dojo')} hint {chosen.name} --all")
        raise typer.Exit(RED)
    if shown[-1].number > before.hints:
        with practice.history(found.root) as past:
            past.record(chosen.name, "hint", number=shown[-1].number, sha256=practice.text_sha256(chosen))
    _show(chosen, shown, len(hints))
    if shown[-1].number < len(hints):
        say(f"One more step, after an attempt: {typed('dojo')} hint {chosen.name}")
    else:
        there = chosen.solution.is_file()  # not in a class repository
        last = f" The solution: {typed('dojo')} solution {chosen.name} --give-up" if there else ""
        say(f"That was the last hint.{last}")


def solution(kata: OneKata = None, give_up: GiveUp = False) -> None:
    """The reference solution, once your own is green.

    \b
    Example:
      dojo solution rate_limiter
      dojo solution rate_limiter --give-up
    """
    chosen = _earned(kata, "solution", give_up)
    say(f"{place(chosen.solution)}\n", style="bold")
    python(chosen.solution.read_text(encoding="utf-8"))


def diff(
    kata: OneKata = None,
    give_up: GiveUp = False,
    unified: Annotated[bool, typer.Option("--unified", help="As a patch, also on a wide terminal.")] = False,
) -> None:
    """Your solution beside the reference, once yours is green.

    Side by side on a terminal of 120 columns or more, otherwise as a unified diff.

    \b
    Example:
      dojo diff rate_limiter
    """
    chosen = _earned(kata, "diff", give_up)
    try:
        yours = chosen.stub.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{place(chosen.stub)} cannot be read: {error}.", USAGE)
    reference = chosen.solution.read_text(encoding="utf-8").splitlines()
    out = console()
    if out.is_terminal and out.width >= 120 and not unified:
        show_side_by_side(out, yours, reference, place(chosen.stub), place(chosen.solution))
        return
    names = place(chosen.stub), place(chosen.solution)
    for line in difflib.unified_diff(yours, reference, *names, lineterm=""):
        out.print(line, style={"-": "red", "+": "green", "@": "cyan"}.get(line[:1], ""))


def further(
    kata: OneKata = None,
    number: Annotated[
        int | None, typer.Argument(metavar="NUMBER", help="Show this question's answer.", show_default=False)
    ] = None,
) -> None:
    """A kata's follow-up questions, as an interviewer would ask them; with NUMBER, one with its answer.

    \b
    Example:
      dojo further rate_limiter
      dojo further rate_limiter 2
    """
    chosen = one(catalog(), kata)
    questions = practice.read_questions(chosen)
    if number is None:
        say(f"{chosen.name}: going further\n", style="bold")
        for question in questions:
            say(f"  {question.number}  {question.text}")
        say(f"\nAnswer aloud first, then: {typed('dojo')} further {chosen.name} 1")
        return
    if not 1 <= number <= len(questions):
        fail(f"{chosen.name} has the questions 1 to {len(questions)}.", USAGE)
    say(f"{number}  {questions[number - 1].text}\n", style="bold")
    markdown(questions[number - 1].answer)


def _earned(query: str | None, what: str, give_up: bool) -> Kata:
    """The kata, if its solution may be shown; giving up is recorded. Ends with exit code 1 if it may not."""
    found = catalog()
    chosen = one(found, query)
    if not chosen.solution.is_file():
        refuse_in_a_class(found.root, what)
        raise ToolFailure(f"{chosen.id} has no solution at {chosen.solution}. Restore it from a fresh clone.")
    if practice.load(found.root).get(chosen.name, practice.Progress()).solved_at is not None:
        return chosen
    if give_up:
        with practice.history(found.root) as past:
            past.record(chosen.name, "give-up")
        return chosen
    # Green once is enough, also if it was plain pytest that said so: then we see for ourselves.
    if not run_kata(chosen, None, "fake").green:
        complain(f"{chosen.name} is not green yet, so its solution stays hidden.")
        complain(f"  see what is left   {typed('dojo')} test {chosen.name}")
        complain(f"  a hint             {typed('dojo')} hint {chosen.name}")
        complain(f"  show it anyway     {typed('dojo')} {what} {chosen.name} --give-up")
        raise typer.Exit(RED)
    return chosen


def _show(kata: Kata, hints: tuple[practice.Hint, ...], total: int) -> None:
    for one_hint in hints:
        say(f"{kata.name}, hint {one_hint.number} of {total}: {one_hint.title}", style="bold")
        say()
        markdown(one_hint.text)
        say()
