"""`dojo review`: code that breaks a rule, an answer, and the test that proves it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from dojo.catalog import Catalog, Kata
from dojo.cli.app import app
from dojo.practice import Event, history

from .conftest import Run
from .terminal import Terminal

OFF_BY_ONE = '''"""Adds what is there to itself.

Trap: same-number
Rule: 1
"""


def add_one(number: int) -> int:
    """The number that comes 1 later. Raises ValueError below zero."""
    # Here it is.
    if number < 0:
        raise ValueError(number)
    return number + number + 1
'''

UNCHECKED = '''"""Takes any number.

Trap: no-check
Rule: 2
"""


def add_one(number: int) -> int:
    """The number that comes 1 later. Raises ValueError below zero."""
    if number < -9:
        raise ValueError(number)
    return number + 1
'''


@pytest.fixture(autouse=True)
def mutants(katas: Catalog, first: Kata) -> None:
    """The first kata has two. The file that is the solution's copy is there too, declared as if it were one."""
    (first.mutants / "off_by_one.py").write_text(OFF_BY_ONE, encoding="utf-8")
    (first.mutants / "unchecked.py").write_text(UNCHECKED, encoding="utf-8")
    copy = first.solution.read_text(encoding="utf-8").partition('"""\n')[2]
    (first.mutants / "same.py").write_text(f'"""Same.\n\nTrap: x\nRule: 1\n"""\n{copy}', encoding="utf-8")
    for kata in katas.katas[1:]:
        (kata.mutants / "same.py").unlink()


def reviews(katas: Catalog) -> list[Event]:
    with history(katas.root) as past:
        return past.events(None, "review")


def place_of(question: dict[str, Any]) -> tuple[int, int]:
    """The right answer to a question: rule and line."""
    number = next(
        number
        for number, line in enumerate(question["code"].splitlines(), start=1)
        if line.endswith(("number + number + 1", "number < -9:"))
    )
    return (1 if "number + number" in question["code"] else 2), number


def asked(dojo: Run, *arguments: str) -> dict[str, Any]:
    result = dojo("review", "--json", *arguments)
    assert result.code == 0
    question: dict[str, Any] = json.loads(result.out)
    return question


def answer(dojo: Run, rule: int, line: int, *arguments: str) -> tuple[int, dict[str, Any]]:
    result = dojo("review", "--json", "--rule", str(rule), "--line", str(line), *arguments)
    return result.code, json.loads(result.out)


def test_a_question_gives_nothing_away(dojo: Run, katas: Catalog) -> None:
    question = asked(dojo)
    assert question == asked(dojo)  # until it is answered
    assert question["kata"] == "add_one"
    assert [rule["number"] for rule in question["rules"]] == [1, 2]
    assert question["code"].startswith('"""Counting upwards."""\n\n')
    for word in ("Trap", "Rule", "Here it is", "same-number", "no-check", "off_by_one", "unchecked", "Adds", "Takes"):
        assert word not in json.dumps(question)
    assert question["answer_with"] == "dojo review --kata add_one --rule N --line N"
    assert reviews(katas) == []


def test_the_right_answer_is_proved_and_remembered(dojo: Run, katas: Catalog) -> None:
    rule, line = place_of(asked(dojo, "--kata", "add_one"))
    code, told = answer(dojo, rule, line, "--kata", "add_one")
    assert code == 0
    assert (told["rule"]["right"], told["line"]["right"], told["line"]["distance"]) == (True, True, 0)
    assert told["rating"] == "good"  # easy needs a clock
    assert f"Rule {rule}" in told["proof"]
    assert f"trap      {told['trap']}" in told["proof"]
    [event] = reviews(katas)
    assert event.data == {
        "mutant": told["mutant"],
        "rule_right": True,
        "line_right": True,
        "seconds": None,
        "rating": "good",
    }
    assert place_of(asked(dojo)) != (rule, line)  # the other one is next


@pytest.mark.parametrize(
    ("off", "wrong_rule", "rating", "line_right"),
    [(1, False, "good", True), (-1, False, "good", True), (-4, False, "hard", False), (0, True, "again", True)],
)
def test_near_is_right_and_far_is_said(
    off: int, wrong_rule: bool, rating: str, line_right: bool, dojo: Run, first: Kata
) -> None:
    (first.mutants / "off_by_one.py").unlink()
    rule, line = place_of(asked(dojo))
    code, told = answer(dojo, 3 - rule if wrong_rule else rule, line + off)
    assert code == (0 if rating == "good" else 1)
    assert (told["rating"], told["line"]["right"], told["line"]["distance"]) == (rating, line_right, abs(off))


def test_any_rule_that_breaks_is_right(dojo: Run, first: Kata) -> None:
    both = OFF_BY_ONE.replace("number < 0", "number < -9")
    for path in first.mutants.glob("*.py"):
        path.write_text(both, encoding="utf-8")
    _, told = answer(dojo, 2, 5)
    assert told["rule"] == {"answer": 2, "right": True, "declared": 1, "broken": [1, 2]}


def test_what_was_seen_longest_ago_is_next(dojo: Run, katas: Catalog) -> None:
    seen = []
    for _ in range(5):
        rule, line = place_of(asked(dojo))
        seen.append(answer(dojo, rule, line)[1]["mutant"])
    assert seen == [*seen[:2], *seen[:2], seen[0]]
    assert sorted(seen[:2]) == ["off_by_one", "unchecked"]  # the solution's copy is never shown


def test_a_seed_gives_another_order(dojo: Run) -> None:
    codes = {asked(dojo, "--seed", str(seed))["code"] for seed in range(8)}
    assert len(codes) == 2
    assert asked(dojo, "--seed", "3") == asked(dojo, "--seed", "3")
    assert asked(dojo, "--seed", "3")["answer_with"].endswith("--seed 3 --rule N --line N")


def test_what_is_due_is_chosen(dojo: Run, katas: Catalog) -> None:
    second = katas.katas[1]
    (second.mutants / "m.py").write_text(OFF_BY_ONE.replace("add_one", "add_two"), encoding="utf-8")
    assert asked(dojo)["kata"] == "add_one"
    with history(katas.root) as past:
        past.record("add_two", "review", datetime.now(UTC) - timedelta(days=30), mutant="m", rating="good")
    assert asked(dojo)["kata"] == "add_two"
    assert asked(dojo, "--kata", "add_one")["kata"] == "add_one"


def test_an_answer_on_standard_input(dojo: Run, katas: Catalog, first: Kata) -> None:
    rule, line = place_of(asked(dojo))
    result = CliRunner().invoke(app, ["review"], input=f"what?\n7 1\n1 99\n{rule} {line}\n", prog_name="dojo")
    assert result.exit_code == 0, result.output
    assert "A rule's number and a line's" in result.stderr
    assert "There is no rule 7: they are 1 to 2." in result.stderr
    assert re.search(r"There is no line 99: they are 1 to \d+\.", result.stderr)
    assert f"Rule {rule}: right." in result.stdout
    assert f"Line {line}: right." in result.stdout
    assert "The mistake\n" in result.stdout
    assert "Rated easy; due again in 8 days" in result.stdout


@pytest.mark.parametrize("said", ["\n", "2\n"], ids=["nothing", "a rule"])
def test_one_may_not_know(said: str, dojo: Run, katas: Catalog) -> None:
    result = CliRunner().invoke(app, ["review"], input=said, prog_name="dojo")
    assert result.exit_code == 1
    assert "It is on line" in result.stdout
    assert len(reviews(katas)) == 1


def test_no_answer_is_no_review(dojo: Run, katas: Catalog) -> None:
    result = dojo("review")
    assert result.code == 1
    assert "Not answered, nothing recorded. To answer: dojo review --kata add_one --rule N --line N" in result.out
    assert reviews(katas) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--line", "4"], 2, "--line goes with --rule"),
        (["--rule", "9"], 2, "has the rules 1 to 2"),
        (["--rule", "1", "--line", "999"], 2, "The code has the lines 1 to"),
        (["--kata", "ad_one"], 2, "Nearest: add_one"),
        (["--kata", "add_two"], 3, "has no code to review"),
    ],
)
def test_wrong_usage(dojo: Run, katas: Catalog, arguments: list[str], code: int, said: str) -> None:
    result = dojo("review", *arguments)
    assert (result.code, said in result.err) == (code, True), result.err
    assert reviews(katas) == []


def test_a_review_at_a_terminal(dojo: Run, katas: Catalog) -> None:
    rule, line = place_of(asked(dojo))
    with Terminal(katas.root, "review", NO_COLOR="1") as terminal:
        terminal.see("One rule does not hold in this code.")
        terminal.see(f"\n{line}      ")
        terminal.see("The rules of add_one")
        terminal.see("   1  The result is 1 more than the number.")
        terminal.see("Which rule, and which line?")
        terminal.press(f"{rule} {line}\n")
        terminal.see(f"Rule {rule}: right.")
        terminal.see(f"Line {line}: right.")
        terminal.see("trap      ")
        terminal.see("Rated easy")
        assert terminal.ended() == 0
    assert reviews(katas)[0].data["seconds"] < 60


def test_a_long_line_goes_on_below_its_beginning(first: Kata, katas: Catalog) -> None:
    long = "number + number + 1" + " + 0" * 20
    (first.mutants / "off_by_one.py").write_text(OFF_BY_ONE.replace("number + number + 1", long), encoding="utf-8")
    (first.mutants / "unchecked.py").unlink()
    with Terminal(katas.root, "review") as terminal:
        terminal.see("8      return number + number + 1 + 0")
        terminal.see("\n   0 + 0")
        terminal.see("The rules of add_one")
        terminal.press("\n")
        terminal.see("It breaks rule 1.")
        assert terminal.ended() == 1


def test_leaving_a_review_at_a_terminal(katas: Catalog) -> None:
    with Terminal(katas.root, "review") as terminal:
        terminal.see("Which rule, and which line?")
        terminal.press("\x03")
        terminal.see("Not answered, nothing recorded.")
        assert terminal.ended() == 1
    assert reviews(katas) == []
