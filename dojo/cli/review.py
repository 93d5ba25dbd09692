"""`dojo review`: somebody's code breaks one of a kata's rules. Which, and where?"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dojo import practice
from dojo.catalog import Catalog, Kata
from dojo.cli.drill_desk import without_way_on
from dojo.cli.drill_history import when
from dojo.cli.laid_out import python
from dojo.cli.terminal import (
    GREEN,
    RED,
    USAGE,
    ToolFailure,
    catalog,
    complain,
    fail,
    place,
    refuse_in_a_class,
    say,
    typed,
)
from dojo.practice.exhibit import NEAR, Exhibit, exhibit, in_turn, read_rules
from dojo.practice.runs import run_once
from dojo.practice.schedule import Rating, cards, choose, rate_review

if TYPE_CHECKING:
    from dojo.author.declared import Mutant
    from dojo.runner import RunResult, TestResult

_ANSWER = re.compile(r"\s*(?:rule\s*)?(\d+)\s*(?:[\s,:/;]\s*(?:line\s*)?(\d+)\s*)?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shown:
    kata: Kata
    mutant: Mutant
    exhibit: Exhibit
    rules: dict[int, str]
    seen: bool
    """It was reviewed before."""


@dataclass(frozen=True, slots=True)
class Verdict:
    rule: int | None
    line: int | None
    broken: tuple[int, ...]
    """All rules whose tests the code fails."""
    proof: TestResult | None
    """The test that rejects it as it declares."""
    rule_right: bool
    line_right: bool
    rating: Rating
    due: datetime


def review(
    kata: Annotated[str | None, typer.Option(metavar="NAME", help="Which kata. Default: see above.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Another order among code never reviewed.")] = None,
    rule: Annotated[int | None, typer.Option(metavar="N", min=1, help="The answer, for scripts: the rule.")] = None,
    line: Annotated[int | None, typer.Option(metavar="N", min=1, help="The answer, for scripts: the line.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON document.")] = False,
) -> None:
    """Review code that looks right and breaks a rule: say which rule, and on which line.

    Without --kata: what is due, else a kata that you have solved and not reviewed, else the next new one. The
    code that you reviewed longest ago comes first. A line within one of a line at fault is right, and so is
    any rule that the code breaks; its tests then prove it.

    \b
    How it went decides when the kata is due again (FSRS):
      again   the rule is wrong
      hard    the rule is right, the line is not
      good    both are right
      easy    both, in less than 2 minutes, of code that you had not reviewed before

    \b
    Example:
      dojo review
      dojo review --kata rate_limiter --rule 9 --line 54
    """
    if line is not None and rule is None:
        fail("--line goes with --rule.", USAGE)
    found = catalog()
    with practice.history(found.root) as past:
        shown = _choose(found, past, kata, seed)
        answered = rule is not None
        if not answered and as_json:
            say(json.dumps(_question(shown, seed), indent=2))
            return
        seconds = None
        if not answered:
            _show(shown)
            began = time.monotonic()
            rule, line = _ask(shown, seed)
            seconds = time.monotonic() - began
        _check_answer(shown, rule, line)
        verdict = _judge(shown, past, rule, line, seconds)
    if as_json:
        say(json.dumps(_as_json(shown, verdict), indent=2))
    else:
        _tell(shown, verdict)
    raise typer.Exit(GREEN if verdict.rule_right and verdict.line_right else RED)


def _choose(found: Catalog, past: practice.History, query: str | None, seed: int | None) -> Shown:
    events = past.events()
    refuse_in_a_class(found.root, "review")
    if query is not None:
        chosen = found.find(query)
    else:
        listed = [kata for kata in found if kata.solution.is_file() and any(kata.mutants.glob("*.py"))]
        solved = [name for name, one in practice.progress_of(events).items() if one.solved_at is not None]
        choice = choose(listed, cards(events, "review"), solved, datetime.now().astimezone())
        if choice is None:
            raise ToolFailure("No kata here has code to review. Is tests/mutants/ missing? Restore it.")
        chosen = choice.kata
    return _next_of(chosen, events, seed)


def _next_of(kata: Kata, events: list[practice.Event], seed: int | None) -> Shown:
    """The kata's mutant whose turn it is. Raises ToolFailure if it has none to show."""
    from dojo.author import declared

    try:
        mutants = {mutant.name: mutant for mutant in declared.mutants(kata)}
        solution = kata.solution.read_text(encoding="utf-8")
        texts = {path: path.read_text(encoding="utf-8") for path in declared.files(kata.alternatives)}
    except (declared.DeclarationError, OSError) as error:
        raise ToolFailure(f"{kata.id} has no code to review: {error}. Restore it from a fresh clone.") from error
    texts |= {mutant.path: mutant.path.read_text(encoding="utf-8") for mutant in mutants.values()}
    for name in in_turn(kata, mutants, events, seed):
        path = mutants[name].path
        made = exhibit(texts[path], solution, [text for other, text in texts.items() if other != path])
        if made is not None:
            seen = any(event.kind == "review" and event.data.get("mutant") == name for event in events)
            return Shown(kata, mutants[name], made, read_rules(kata), seen)
    raise ToolFailure(f"{kata.id} has no code to review. Choose another kata with --kata.")


def _show(shown: Shown) -> None:
    kata = shown.kata
    say(f"{kata.name}: {kata.title}", style="bold")
    say("One rule does not hold in this code. The contract:")
    say(f"{place(kata.readme)}\n")
    python(shown.exhibit.code, numbered=True)
    say(f"\nThe rules of {kata.name}", style="bold")
    for number, sentence in shown.rules.items():
        say(textwrap.fill(sentence, 78, initial_indent=f"  {number:>2}  ", subsequent_indent="      "))


def _ask(shown: Shown, seed: int | None) -> tuple[int | None, int | None]:
    """Rule and line from standard input; None for what is not known. Ends the command if there is no answer."""
    last = _lines(shown)
    while True:
        say()
        try:
            typer.echo("Which rule, and which line? (such as 9 54; Enter if you do not know) ", nl=False)
            sys.stdout.flush()
            said = sys.stdin.readline()
        except KeyboardInterrupt:
            said = ""
        if not said:
            say(f"\nNot answered, nothing recorded. To answer: {_how(shown, seed)}")
            raise typer.Exit(RED)
        if not said.strip():
            return None, None
        match = _ANSWER.match(said)
        if match is None:
            complain(f"A rule's number and a line's, such as 9 54, not {said.strip()!r}.")
        elif int(match[1]) not in shown.rules:
            complain(f"There is no rule {match[1]}: they are {min(shown.rules)} to {max(shown.rules)}.")
        elif match[2] is not None and not 1 <= int(match[2]) <= last:
            complain(f"There is no line {match[2]}: they are 1 to {last}.")
        else:
            return int(match[1]), int(match[2]) if match[2] else None


def _check_answer(shown: Shown, rule: int | None, line: int | None) -> None:
    if rule is not None and rule not in shown.rules:
        fail(f"{shown.kata.name} has the rules {min(shown.rules)} to {max(shown.rules)}.", USAGE)
    if line is not None and line > _lines(shown):
        fail(f"The code has the lines 1 to {_lines(shown)}.", USAGE)


def _lines(shown: Shown) -> int:
    return shown.exhibit.code.count("\n")


def _how(shown: Shown, seed: int | None) -> str:
    lot = "" if seed is None else f" --seed {seed}"
    return f"{typed('dojo')} review --kata {shown.kata.name}{lot} --rule N --line N"


def _judge(shown: Shown, past: practice.History, rule: int | None, line: int | None, seconds: float | None) -> Verdict:
    """Run the code that was shown, and record how good the answer is."""
    result = _run(shown)
    broken = {test.rule for test in result.failed if test.rule is not None} | {shown.mutant.rule}
    rule_right = rule in broken
    line_right = line is not None and shown.exhibit.distance(line) <= NEAR
    rating = rate_review(rule_right=rule_right, line_right=line_right, seconds=seconds, seen=shown.seen)
    past.record(
        shown.kata.name,
        "review",
        mutant=shown.mutant.name,
        rule_right=rule_right,
        line_right=line_right,
        seconds=None if seconds is None else round(seconds, 1),
        rating=rating,
    )
    due = cards(past.events(shown.kata.name), "review")[shown.kata.name].due
    return Verdict(rule, line, tuple(sorted(broken)), _proof(shown, result), rule_right, line_right, rating, due)


def _run(shown: Shown) -> RunResult:
    """All tests on the code as it was shown, so that line numbers in a failure are the shown ones."""
    with tempfile.TemporaryDirectory(prefix="dojo-review-") as directory:
        file = Path(directory) / f"{shown.kata.name}.py"
        file.write_text(shown.exhibit.code, encoding="utf-8")
        return run_once(shown.kata, file)


def _proof(shown: Shown, result: RunResult) -> TestResult | None:
    from dojo.author.verdicts import killing

    own = [test for test in result.failed if test.rule == shown.mutant.rule]
    return killing(shown.mutant, result) or next(iter([*own, *result.failed]), None)


def _tell(shown: Shown, verdict: Verdict) -> None:
    declared = shown.mutant.rule
    say()
    if verdict.rule is None:
        say(f"It breaks rule {declared}.", "red")
    elif verdict.rule_right:
        also = "" if verdict.rule == declared else f" It is there because of rule {declared}, which it breaks too."
        say(f"Rule {verdict.rule}: right.{also}", "green")
    else:
        others = [str(number) for number in verdict.broken if number != declared]
        also = f" (and {', '.join(others)})" if others else ""
        say(f"Rule {verdict.rule}: it holds. What breaks is rule {declared}{also}.", "red")
    say(_nearness(shown, verdict), "green" if verdict.line_right else "red")
    if verdict.proof is not None:
        say(f"\n{without_way_on(verdict.proof.message)}")
    say("\nThe mistake", style="bold")
    say(textwrap.fill(_why(shown), 78, initial_indent="  ", subsequent_indent="  "))
    say(f"  trap  {shown.mutant.trap}     {place(shown.kata.readme)}#{shown.mutant.trap}\n")
    for text in shown.exhibit.mended:
        say(f"  {text}", "red" if text.startswith("-") else "green")
    say(f"\nRated {verdict.rating}; due again {when(verdict.due)}.")


def _nearness(shown: Shown, verdict: Verdict) -> str:
    faults = shown.exhibit.faults
    where = f"line{'' if len(faults) == 1 else 's'} {_ranges(faults)}"
    if verdict.line is None:
        return f"It is on {where}."
    off = shown.exhibit.distance(verdict.line)
    if off == 0:
        return f"Line {verdict.line}: right." if len(faults) == 1 else f"Line {verdict.line}: right ({where})."
    if verdict.line_right:
        return f"Line {verdict.line}: right, it is on {where}."
    return f"Line {verdict.line}: {off} lines off, it is on {where}."


def _ranges(numbers: tuple[int, ...]) -> str:
    """`3, 5-7`"""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{part[0]}" if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def _why(shown: Shown) -> str:
    """What the mutant's docstring says it does."""
    import ast

    text = ast.get_docstring(ast.parse(shown.mutant.path.read_text(encoding="utf-8"))) or ""
    said = [part for part in text.split("\n\n") if not part.startswith(("Trap:", "Rule:"))]
    return " ".join(" ".join(said).split())


def _question(shown: Shown, seed: int | None) -> dict[str, Any]:
    return {
        "kata": shown.kata.name,
        "title": shown.kata.title,
        "readme": str(shown.kata.readme),
        "rules": [{"number": number, "sentence": sentence} for number, sentence in shown.rules.items()],
        "code": shown.exhibit.code,
        "answer_with": _how(shown, seed),
    }


def _as_json(shown: Shown, verdict: Verdict) -> dict[str, Any]:
    line = verdict.line
    return {
        "kata": shown.kata.name,
        "mutant": shown.mutant.name,
        "rule": {"answer": verdict.rule, "right": verdict.rule_right, "declared": shown.mutant.rule,
                 "broken": list(verdict.broken)},
        "line": {"answer": line, "right": verdict.line_right, "faults": list(shown.exhibit.faults),
                 "distance": None if line is None else shown.exhibit.distance(line)},
        "rating": verdict.rating,
        "due": verdict.due.isoformat(),
        "trap": shown.mutant.trap,
        "mistake": _why(shown),
        "mended": list(shown.exhibit.mended),
        "proof": verdict.proof.message if verdict.proof is not None else None,
    }  # fmt: skip
