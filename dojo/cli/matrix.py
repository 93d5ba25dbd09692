"""How a flip is shown: what was caught and what survived by rule and trap, what was rejected and why, the score."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dojo.cli.terminal import console, marks, place, say, typed

if TYPE_CHECKING:
    from rich.text import Text

    from dojo.catalog import Kata
    from dojo.flip import Flip, Rejection, Verdict

_LABEL = 11
_WIDTH = 120
_GAP = "   "
_MARKS = {True: "passed", False: "failed"}
_STYLES = {True: "green", False: "red"}


def show_flip(kata: Kata, flip: Flip) -> None:
    """Print a scored flip for a person."""
    good, bad = marks()["passed"], marks()["failed"]
    say(f"{kata.name}: your tests against {len(flip.mutants)} wrong and {len(flip.right)} right solutions", "bold")
    if not flip.tests:
        say(f"\nThere are no tests yet in {place(kata.flip)}.\n")
        _summary(kata, flip)
        say(f"  try    {typed('pytest')} {place(kata.flip.parent)} --impl solutions")
        say(f"  score  {typed('dojo')} flip {kata.name}")
        return
    say(f"{good} caught or spared   {bad} survived or wrongly rejected\n")
    for rule, of_rule in itertools.groupby(flip.mutants, key=lambda pair: pair[0].rule):
        cells = [
            (trap, [by is not None for _, by in of_trap])
            for trap, of_trap in itertools.groupby(of_rule, key=lambda pair: pair[0].trap)
        ]
        _row(f"rule {rule:>2}", cells)
    say()
    _row("right", [(right.name, [right.name not in flip.rejected]) for right in flip.right])
    idle = [test.name for test in flip.tests if test.spares_stub]
    _row("stub", [("unwritten: rejected by each test" if not idle else f"passes {_few(idle)}", [not idle])])
    say()
    _complaints(kata, flip)
    _summary(kata, flip)


def _row(label: str, cells: Sequence[tuple[str, Sequence[bool]]]) -> None:
    """A label, and what belongs to it, as many cells a line as fit."""
    from rich.text import Text

    out = console()
    line = Text(f"  {label}".ljust(_LABEL))
    room = min(out.width, _WIDTH)
    for name, results in cells:
        cell = _cell(name, results)
        if len(line) > _LABEL:
            if len(line) + len(_GAP) + len(cell) > room:
                out.print(line)
                line = Text(" " * _LABEL)
            else:
                line.append(_GAP)
        line.append_text(cell)
    out.print(line)


def _cell(name: str, results: Sequence[bool]) -> Text:
    from rich.text import Text

    cell = Text()
    for result in results:
        cell.append(marks()[_MARKS[result]], _STYLES[result])
    return cell.append(f" {name}", "dim" if all(results) else "")


def _complaints(kata: Kata, flip: Flip) -> None:
    """The tests that do not count: the first in full, the others in a line each."""
    wrong = [test for test in flip.tests if not test.counts]
    for number, test in enumerate(wrong):
        _paragraph(f"{test.name} {_accusation(test, flip)}", "red")
        first = test.rejections[0]
        if number:
            _paragraph(f"  on {first.right.name}: {_reason(first)}")
            continue
        say(textwrap.indent(_told(first), "  "))
        if not test.flaky:
            where = place(first.right.path) if first.right.name != "reference" else "solutions"
            say(f"  run it    {typed('pytest')} {place(kata.flip.parent)} --impl {where}\n")
    if len(wrong) > 1:
        say()
    if wrong:
        _paragraph("What such a test kills does not count: a test that rejects a right solution proves nothing.\n")
    for test in flip.tests:
        if test.counts and test.excused and test.rule is None:
            broken = sorted({rule for one in test.excused for rule in one.right.breaks})
            _paragraph(
                f"{test.name} rejects {_few([one.right.name for one in test.excused])}, which is known to break "
                f"{'rule' if len(broken) == 1 else 'rules'} {' and '.join(map(str, broken))}. It counts; "
                f"but if it is about another rule, it is too strict.\n"
            )


def _paragraph(text: str, style: str | None = None) -> None:
    """Wrapped at words, with the indent of its beginning."""
    indent = " " * (len(text) - len(text.lstrip()))
    room = min(console().width, _WIDTH)
    lines = textwrap.wrap(text.strip(), room, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    say("\n".join(lines) + "\n" * text.endswith("\n"), style)


def _accusation(test: Verdict, flip: Flip) -> str:
    if test.flaky:
        return "passed and failed on the same solution: it hangs on chance, or on the tests before it"
    names = [rejection.right.name for rejection in test.rejections]
    return f"rejects {len(names)} of {len(flip.right)} right solutions: {_few(names)}"


def _few(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _told(rejection: Rejection) -> str:
    """A failure's message without the way on, which is this very command."""
    lines = [line for line in rejection.message.strip().splitlines() if not line.startswith("  next ")]
    return "\n".join(lines).rstrip() + "\n"


def _reason(rejection: Rejection) -> str:
    lines = [line.strip() for line in rejection.message.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith(("got ", "raised ", "never finishes", "deadlock", "assert "))]
    return " ".join(next(iter([*marked, *lines]), "no message").split())


def _summary(kata: Kata, flip: Flip) -> None:
    score = f"kills {flip.kills} of {len(flip.mutants)} mutants"
    if flip.tests:
        score += f", spares {flip.spared} of {len(flip.right)} right solutions"
    say(f"{score}, {flip.seconds:.1f} s\n", f"bold {'green' if flip.perfect else 'red'}")
    if flip.tests and flip.survivors:
        say(f"  a survivor's code   {typed('dojo')} flip {kata.name} --show {flip.survivors[0].trap}")
