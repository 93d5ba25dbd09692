"""Code for review: nothing gives it away, and the lines at fault are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from dojo.catalog import Kata, load
from dojo.practice import Event
from dojo.practice.exhibit import Exhibit, exhibit, in_turn, read_rules, stripped

from .test_schedule import NOON

ROOT = Path(__file__).parents[2]

SOLUTION = '''"""Counts.

Sources: none.
"""


def count(words: list[str]) -> int:
    """How many there are."""
    # One by one.
    return len(words)


def first(words: list[str]) -> str:
    if not words:
        raise ValueError("no words")
    return words[0]
'''

MUTANT = '''"""It counts one too many.

Trap: off-by-one
Rule: 1
"""


def count(words: list[str]) -> int:
    """How many there are."""
    # This is the mistake.
    return len(words) + 1  # here: "#" too


def first(words: list[str]) -> str:
    """Wrong in nothing."""
    if not words:
        raise ValueError("# no words")
    return words[0]
'''


def made(mutant: str, *relatives: str) -> Exhibit:
    found = exhibit(mutant, SOLUTION, relatives)
    assert found is not None
    return found


def test_nothing_is_left_that_tells() -> None:
    shown = made(MUTANT.replace("# no words", "no words")).code
    assert shown.startswith('"""Counts.\n\nSources: none.\n"""\n\n\ndef count')
    assert '"""How many there are."""' in shown
    assert not any(
        word in shown for word in ("too many", "mistake", "here:", "off-by-one", "Wrong in nothing", "Rule:")
    )
    assert '"# no words"' in made(MUTANT).code  # a sign in a string is no comment


def test_the_line_at_fault_is_found_and_mended() -> None:
    shown = made(MUTANT.replace("# no words", "no words"))
    (fault,) = shown.faults
    assert shown.code.splitlines()[fault - 1] == "    return len(words) + 1"
    assert shown.mended == ("-     return len(words) + 1", "+     return len(words)")
    assert [shown.distance(fault + off) for off in (-2, -1, 0, 3)] == [2, 1, 0, 3]


def test_a_line_that_is_missing_is_where_it_was() -> None:
    shown = made(SOLUTION.replace('    if not words:\n        raise ValueError("no words")\n', ""))
    lines = shown.code.splitlines()
    assert [lines[fault - 1] for fault in shown.faults] == [
        "def first(words: list[str]) -> str:",
        "    return words[0]",
    ]
    assert shown.mended == ("+     if not words:", '+         raise ValueError("no words")')


def test_the_relatives_agree_on_what_is_right() -> None:
    """Mutants vary another design than the solution's; each has its own mistake, none has this one's."""
    design = "def count(words):\n    total = 0\n    for word in words:\n        total += 1\n    return total\n"
    design += "\n\ndef first(words):\n    if len(words) == 0:\n        raise ValueError\n    return words[0]\n"
    family = [
        design.replace("total = 0", "total = 1"),
        design.replace("total += 1", "total += 2"),
        design.replace("words[0]", "words[-1]"),
        design.replace("ValueError", "KeyError"),
    ]
    for number, mutant in enumerate(family):
        shown = made(mutant, *family[:number], *family[number + 1 :])
        (fault,) = shown.faults
        changed = shown.code.splitlines()[fault - 1]
        assert changed.strip() not in design
        assert shown.mended[1].removeprefix("+ ") in design.splitlines()


def test_code_that_differs_in_comments_only_is_not_shown() -> None:
    assert exhibit(SOLUTION.replace("# One by one.", "# All at once."), SOLUTION, []) is None
    assert exhibit(SOLUTION, SOLUTION, []) is None


def test_another_program_is_not_shown() -> None:
    other = "\n".join(f"line_{number} = {number}" for number in range(40))
    assert exhibit(f"{other}\n", SOLUTION, []) is None


def test_a_body_that_was_a_docstring_stays_a_body() -> None:
    assert stripped('class A(Exception):\n    """Tells."""\n', SOLUTION) == "class A(Exception):\n    ...\n"


def test_what_was_seen_longest_ago_comes_first() -> None:
    kata = Kata("t", "add", "", 1, 5, (), Path("/"))
    names = [f"m{number}" for number in range(12)]
    order = in_turn(kata, names, [], None)
    assert sorted(order) == sorted(names)
    assert order == in_turn(kata, reversed(names), [], None)
    assert order != in_turn(kata, names, [], 1)
    events = [
        Event(str(number), NOON.replace(minute=number), "add", "review", {"mutant": name})
        for number, name in enumerate(("m3", "m4", "m3"))
    ]
    rest = [name for name in order if name not in ("m3", "m4")]
    assert in_turn(kata, names, events, None) == [*rest, "m4", "m3"]


@pytest.mark.parametrize("kata", load(ROOT).katas, ids=lambda kata: kata.name)
def test_every_mutant_of_the_repository_is_fit_to_be_shown(kata: Kata) -> None:
    """None differs in comments only, nothing in the shown code is its docstring, and its rule has a sentence."""
    from dojo.author import declared

    solution = kata.solution.read_text(encoding="utf-8")
    rules = read_rules(kata)
    right = stripped(solution, solution)
    for mutant in declared.mutants(kata):
        source = mutant.path.read_text(encoding="utf-8")
        bare = stripped(source, solution)
        assert bare != right
        compile(bare, mutant.name, "exec")
        assert "Trap:" not in bare
        assert "# " not in bare.replace('"# ', "")
        assert rules[mutant.rule]
