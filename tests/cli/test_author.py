"""`dojo author …`: stubs, the syllabus table, and the way to the gate."""

from __future__ import annotations

import json

from dojo.catalog import Catalog, Kata
from dojo.readme import BEGIN, END
from dojo.stubs import is_pristine

from .conftest import Run


def test_stubs_check_shows_the_difference_and_writes_nothing(dojo: Run, first: Kata) -> None:
    assert dojo("author", "stubs", "--check").code == 0
    first.stub.write_text("def add_one(number: int) -> int:\n    return 2\n", encoding="utf-8")
    result = dojo("author", "stubs", "--check")
    assert result.code == 1
    assert "-    return 2" in result.out
    assert "+    raise NotImplementedError" in result.out
    assert not is_pristine(first)


def test_stubs_are_written(dojo: Run, first: Kata) -> None:
    first.stub.write_text("", encoding="utf-8")
    result = dojo("author", "stubs")
    assert result.code == 0
    assert "katas/counting/add_one/add_one.py written" in result.out
    assert is_pristine(first)


def test_the_syllabus_table_is_checked_and_written(dojo: Run, katas: Catalog) -> None:
    readme = katas.root / "README.md"
    readme.write_text(f"# Dojo\n\n{BEGIN}\n{END}\n\nMore.\n", encoding="utf-8")
    assert dojo("author", "readme", "--check").code == 1
    assert dojo("author", "readme").code == 0
    assert dojo("author", "readme", "--check").code == 0
    text = readme.read_text(encoding="utf-8")
    assert "| 2 | [add_two](katas/counting/add_two/README.md) | Two more | 2 of 5 | 10 | add_one |" in text
    assert text.endswith(f"{END}\n\nMore.\n")


def test_the_gate_is_run_and_its_verdict_is_the_exit_code(dojo: Run) -> None:
    result = dojo("author", "check", "add_one", "--fast")
    assert result.code == 1
    assert "counting/add_one" in result.out
    assert "0 of 1 katas done" in result.out


def test_survivors_are_listed(dojo: Run) -> None:
    listed = json.loads(dojo("author", "mutate", "add_one", "--json").out)
    assert listed["kata"] == "add_one"
    assert listed["total"] > 0


def test_the_readme_quotes_files_as_they_are(dojo: Run, katas: Catalog) -> None:
    readme = katas.root / "README.md"
    quote = "<!-- quote: said.txt -->\nold\n<!-- end of quote -->\n"
    readme.write_text(f"{BEGIN}\n{END}\n{quote}", encoding="utf-8")
    missing = dojo("author", "readme")
    assert missing.code == 2
    assert "quotes said.txt, which cannot be read" in missing.err
    (katas.root / "said.txt").write_text("1 \\1 expected\n", encoding="utf-8")
    assert dojo("author", "readme").code == 0
    text = readme.read_text(encoding="utf-8")
    assert "<!-- quote: said.txt -->\n\n```text\n1 \\1 expected\n```\n\n<!-- end of quote -->\n" in text
    assert dojo("author", "readme", "--check").code == 0


def test_messages_are_written_and_compared(dojo: Run, katas: Catalog, first: Kata) -> None:
    mutant = first.mutants / "same.py"
    mutant.write_text(
        '"""The number itself.\n\nTrap: same-number\nRule: 1\n"""\n\n\ndef add_one(number):\n    return number\n',
        encoding="utf-8",
    )
    (katas.katas[1].mutants / "same.py").unlink()
    seed = {"PYTHONHASHSEED": "0"}  # spares another interpreter
    assert dojo("author", "golden", **seed).code == 1
    assert dojo("author", "golden", "--update", **seed).code == 0
    assert "same-number" in (katas.root / "tests" / "golden" / "add_one" / "same.txt").read_text(encoding="utf-8")
    assert dojo("author", "golden", **seed).code == 0


def test_a_readme_without_markers_is_named(dojo: Run, katas: Catalog) -> None:
    (katas.root / "README.md").write_text("# Dojo\n", encoding="utf-8")
    result = dojo("author", "readme")
    assert result.code == 2
    assert "lost its markers" in result.err


def test_traps_are_listed_with_who_falls_into_them(dojo: Run, first: Kata) -> None:
    first.mutants.mkdir(parents=True, exist_ok=True)
    for path in first.mutants.glob("*.py"):
        path.unlink()
    plain = '"""Adds nothing.\n\nTrap: same-number\nRule: 1\n"""\n'
    (first.mutants / "adds_nothing.py").write_text(plain, encoding="utf-8")
    known = '"""Takes anything.\n\nTrap: no-check\nRule: 2\nPublished: in books\n"""\n'
    (first.mutants / "takes_anything.py").write_text(known, encoding="utf-8")
    lines = dojo("author", "traps", "add_one").out.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [
        ["add_one", "1", "same-number", "adds_nothing"],
        ["add_one", "2", "no-check", "takes_anything"],
    ]
    assert lines[1].endswith("Adds nothing.")
    [row] = json.loads(dojo("author", "traps", "add_one", "--published", "--json").out)
    assert (row["trap"], row["says"], row["published"]) == ("no-check", "Takes anything.", "in books")
    (first.mutants / "says_nothing.py").write_text('"""Silence."""\n', encoding="utf-8")
    result = dojo("author", "traps", "add_one")
    assert result.code == 3
    assert "Trap: kebab-case-name" in result.err
