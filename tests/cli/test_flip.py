"""`dojo flip`: from the empty file to full marks, as it looks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dojo.catalog import Catalog, Kata
from dojo.practice import history
from dojo.runner import warm

from .conftest import README, Run

RULES = README.replace("1. ...", "1. The result is 1 more than the number.\n2. A number below zero is refused.")
COUNTS = "from add_one import add_one\n\n\ndef test_it_counts(lab):\n    assert add_one(1) == 2\n"
STRICT = COUNTS + "\n\ndef test_type(lab):\n    assert type(add_one(True + 0.5)) is float, 'a float'\n"


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm()


@pytest.fixture
def kata(first: Kata) -> Kata:
    """`add_one` with mutants that are wrong, and an alternative that takes whole numbers only."""
    first.readme.write_text(RULES, encoding="utf-8")
    right = first.solution.read_text(encoding="utf-8")
    shutil.rmtree(first.mutants)
    for path, old, new, docstring in (
        (first.mutants / "same.py", "+ 1", "+ 0", "Nothing is added.\n\nTrap: same-number\nRule: 1\n"),
        (first.mutants / "unchecked.py", "number < 0", "False", "Any number.\n\nTrap: no-check\nRule: 2\n"),
        (first.mutants / "minus_one.py", "number < 0", "number < -1", "Only -2.\n\nTrap: no-check\nRule: 2\n"),
        (
            first.alternatives / "loop.py",
            "return number",
            "return int(number)",
            "A loop.\n\nDesign: loop\nBreaks: none",
        ),
    ):
        path.parent.mkdir(exist_ok=True)
        text = right.replace(old, new).replace('"""Counting upwards."""', f'"""{docstring}"""')
        path.write_text(text, encoding="utf-8")
    return first


def write(kata: Kata, text: str) -> None:
    kata.flip.parent.mkdir(parents=True, exist_ok=True)
    kata.flip.write_text(text, encoding="utf-8")


def flips(kata: Kata) -> list[dict[str, object]]:
    with history(kata.root) as past:
        return [event.data for event in past.events(kata.name, "flip")]


def untimed(text: str) -> str:
    return "\n".join(line.rsplit(", ", 1)[0] if line.startswith("kills ") else line for line in text.splitlines())


def test_the_first_call_makes_the_file_and_says_so(dojo: Run, kata: Kata) -> None:
    result = dojo("flip", "add_one")
    assert result.code == 0
    assert result.out == (
        "add_one, the other way round: you write the tests\n"
        "\n"
        "  write  .dojo/flips/add_one/test_add_one.py\n"
        "  try    pytest .dojo/flips/add_one --impl solutions\n"
        "  score  dojo flip add_one\n"
        "\n"
        "The file holds the contract and the rules, and no tests yet.\n"
    )
    assert "#  2. A number below zero is refused." in kata.flip.read_text(encoding="utf-8")
    assert flips(kata) == []


def test_without_tests_the_score_is_nothing(dojo: Run, kata: Kata) -> None:
    dojo("flip", "add_one")
    result = dojo("flip", "add_one")
    assert result.code == 1
    assert "There are no tests yet in .dojo/flips/add_one/test_add_one.py." in result.out
    assert "kills 0 of 3 mutants, 0.0 s" in result.out
    assert [flip["tests"] for flip in flips(kata)] == [0]


def test_a_score_is_a_matrix_by_rule_and_trap(dojo: Run, kata: Kata) -> None:
    write(kata, COUNTS)
    result = dojo("flip", "add_one")
    assert result.code == 1
    assert untimed(result.out) == (
        "add_one: your tests against 3 wrong and 2 right solutions\n"
        "✓ caught or spared   ✗ survived or wrongly rejected\n"
        "\n"
        "  rule  1  ✓ same-number\n"
        "  rule  2  ✗✗ no-check\n"
        "\n"
        "  right    ✓ reference   ✓ loop\n"
        "  stub     ✓ unwritten: rejected by each test\n"
        "\n"
        "kills 1 of 3 mutants, spares 2 of 2 right solutions\n"
        "\n"
        "  a survivor's code   dojo flip add_one --show no-check"
    )
    assert result.err == ""


def test_full_marks_are_exit_code_zero(dojo: Run, kata: Kata) -> None:
    write(kata, kata.test_file.read_text(encoding="utf-8"))
    result = dojo("flip", "add_one")
    assert result.code == 0
    assert "kills 3 of 3 mutants, spares 2 of 2 right solutions" in result.out
    [event] = flips(kata)
    assert (event["kills"], event["spared"], event["survivors"]) == (3, 2, [])


def test_a_test_that_rejects_a_right_solution_is_named_with_the_reason(dojo: Run, kata: Kata) -> None:
    write(kata, STRICT)
    result = dojo("flip", "add_one")
    assert result.code == 1
    assert "  right    ✓ reference   ✗ loop\n" in result.out
    assert "test_type rejects 1 of 2 right solutions: loop\n" in result.out
    assert "a float" in result.out
    assert "pytest .dojo/flips/add_one --impl tests/alternatives/counting/add_one/loop.py\n" in result.out
    assert "proves nothing" in " ".join(result.out.split())
    assert "kills 1 of 3 mutants, spares 1 of 2 right solutions" in result.out


def test_json_says_everything(dojo: Run, kata: Kata) -> None:
    write(kata, STRICT)
    result = dojo("flip", "add_one", "--json")
    assert result.code == 1
    told = json.loads(result.out)
    assert {key: told[key] for key in ("kata", "kills", "spared", "perfect")} == {
        "kata": "add_one",
        "kills": 1,
        "spared": 1,
        "perfect": False,
    }
    assert Path(told["file"]) == kata.flip
    assert told["mutants"][0] == {"name": "same", "rule": 1, "trap": "same-number", "killed_by": "test_it_counts"}
    assert [right["spared"] for right in told["right"]] == [True, False]
    [counts, strict] = told["tests"]
    assert (counts["counts"], strict["counts"]) == (True, False)
    assert strict["rejections"][0]["right"] == "loop"


def test_a_survivor_is_revealed_on_request_and_that_is_recorded(
    dojo: Run, kata: Kata, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kata, COUNTS)
    dojo("flip", "add_one")
    monkeypatch.setattr("dojo.flip.score", lambda kata: pytest.fail("the same tests need no second run"))
    result = dojo("flip", "add_one", "--show", "no-check")
    assert result.code == 0
    assert result.out.startswith("A survivor of rule 2, no-check\n\nOnly -2.\n")
    assert "-    if number < 0:\n" in result.out
    assert "+    if number < -1:\n" in result.out
    with history(kata.root) as past:
        [event] = past.events("add_one", "reveal")
    assert event.data == {"mutant": "minus_one", "trap": "no-check", "rule": 2}
    assert json.loads(dojo("flip", "add_one", "--show", "no-check", "--json").out)["mutant"] == "minus_one"
    caught = dojo("flip", "add_one", "--show", "same-number")
    assert caught.code == 2
    assert "no survivor of your tests is called 'same-number'. There are: no-check." in caught.err


def test_a_file_that_cannot_be_run_is_one_message(dojo: Run, kata: Kata) -> None:
    write(kata, "from add_one import add_two\n\n\ndef test_x(): ...\n")
    result = dojo("flip", "add_one")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "test_add_one.py line 1: add_one need not have `add_two`, so tests cannot import it.\n"
        "    What it has: add_one\n"
    )
    assert json.loads(dojo("flip", "add_one", "--json").out)["error"].startswith("test_add_one.py line 1")
    assert flips(kata) == []


def test_in_the_directory_of_ones_tests_no_name_is_needed(
    dojo: Run, katas: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    dojo("flip", "add_two")
    monkeypatch.chdir(katas.katas[1].flip.parent)
    assert "  write  test_add_two.py\n" in dojo("flip", "--fresh").out


def test_fresh_keeps_what_was_there(dojo: Run, kata: Kata) -> None:
    write(kata, COUNTS)
    result = dojo("flip", "add_one", "--fresh")
    assert result.code == 0
    [backup] = (kata.root / ".dojo" / "backups" / "add_one").iterdir()
    assert f"  kept   .dojo/backups/add_one/{backup.name}\n" in result.out
    assert backup.read_text(encoding="utf-8") == COUNTS
    assert "def test_it_counts" not in kata.flip.read_text(encoding="utf-8")


def test_wrong_usage_and_a_damaged_clone(dojo: Run, kata: Kata) -> None:
    assert dojo("flip", "nonsense").code == 2
    assert dojo("flip", "add_one", "--fresh", "--show", "no-check").code == 2
    (kata.mutants / "same.py").write_text("wrong = 1\n", encoding="utf-8")
    write(kata, COUNTS)
    result = dojo("flip", "add_one")
    assert result.code == 3
    assert "same.py: its docstring needs a line `Trap:" in result.err
    shutil.rmtree(kata.mutants)
    assert "lacks tests/mutants/counting/add_one" in dojo("flip", "add_one").err


def test_it_has_help_with_an_example(dojo: Run) -> None:
    result = dojo("flip", "--help")
    assert result.code == 0
    assert "Example:\n    dojo flip rate_limiter\n" in result.out
