"""`dojo author check` accepts a kata that is done, and says plainly what is wrong with one that is not."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from dojo.author import brief, declared, golden, mutate, survivors
from dojo.author import check as command
from dojo.author.declared import DeclarationError
from dojo.author.gate import Checked, check
from dojo.catalog import load

from .conftest import SOLUTION, alternative_text, mutant_text, write


def checked(kata, *, fast: bool = True) -> Checked:
    [found] = check([kata], fast=fast)
    return found


def edit(path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_finished_kata_has_no_complaints(finished):
    assert finished.complaints == ()
    assert finished.done
    assert (len(finished.dead), len(finished.spared)) == (8, 2)
    assert [test.kind for test in finished.stub.tests] == ["missing"] * 3
    assert finished.score.ratio == 1.0
    assert finished.score.total >= 15


def test_the_learners_own_file_does_not_matter_to_the_stub_run(kata):
    kata.stub.write_text("this is not even Python", encoding="utf-8")
    found = checked(kata)
    assert len(found.stub.failed) == 3
    assert found.complaints == ("the stub is not what its solution implies: `dojo author stubs ticker`.",)


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("readme", "3. A limit", "4. A limit", "README.md states no rule 3"),
        ("readme", "3. A limit", "4. A limit", "README.md states rule 4, which no test checks"),
        ("readme", "### no-limit", "### without limit", "no heading `### no-limit`"),
        ("hints", "## 4 Step", "Step", "has 3 hints"),
        ("hints", "## 2 Step", "## 7 Step", "must have the headings"),
        ("test_file", "Rule 3. ", "", "test_limit_is_checked: its docstring must be `Rule N."),
        ("test_file", '"no-limit"', '"ran-over"', "no heading `### ran-over`"),
    ],
)
def test_texts_that_contradict_each_other_are_named(kata, file, old, new, complaint):
    edit(getattr(kata, file), old, new)
    found = brief.complaints(kata, ("off-by-one",))
    assert any(complaint in line for line in found), found


def test_a_trap_that_only_a_mutant_names_needs_its_heading_too(kata):
    assert brief.complaints(kata, ("off-by-one",)) == []
    assert brief.complaints(kata, ("lost-update",)) == [
        "README.md has no heading `### lost-update`, which tests or mutants name."
    ]


def test_headings_and_numbers_inside_code_are_code(kata):
    edit(kata.readme, "## Traps", "```text\n### not-a-trap\n9. not a rule\n```\n\n## Traps")
    edit(kata.test_file, '"no-limit"', '"not-a-trap"')
    assert brief.complaints(kata, ()) == ["README.md has no heading `### not-a-trap`, which tests or mutants name."]


def test_a_wrong_solution_and_a_test_that_passes_on_the_stub_are_named(kata):
    edit(kata.solution, "self.count += 1", "self.count += 3")
    where = '    with lab.raises(ValueError, when="the limit is 0"'
    edit(kata.test_file, where, f"    return\n{where}")
    complaints = checked(kata).complaints
    assert "solution: test_counts fails (rule 1): `dojo test --impl solutions`." in complaints
    assert any(line.startswith("stub: test_limit_is_checked passes") for line in complaints)


def test_a_solution_that_cannot_be_imported_is_broken(kata):
    edit(kata.solution, "class Ticker", "class Tacker")
    assert any("solution: broken: " in line for line in checked(kata).complaints)


def test_mutants_that_do_not_die_as_declared_are_named(kata):
    for path in kata.mutants.glob("*.py"):
        path.unlink()
    wrong = {
        "right": (mutant_text("off-by-one", 1, SOLUTION), "survives rule 1"),
        "elsewhere": (
            mutant_text("off-by-one", 1, SOLUTION.replace("limit < 1", "limit < 2")),
            "survives rule 1",
        ),
        "other_trap": (
            mutant_text("no-limit", 1, SOLUTION.replace("self.count = 0", "self.count = 5")),
            "test_counts names the trap off-by-one, not no-limit",
        ),
        "raises": (
            mutant_text("no-limit", 2, SOLUTION.replace("self.limit - self.count", "self.limit - None")),
            "ends with error, not with a verdict that names no-limit: raised    TypeError",
        ),
        "no_such_rule": (mutant_text("off-by-one", 9, SOLUTION), "declares rule 9, which no test checks"),
        "exits": (mutant_text("no-limit", 2, "import os\nos._exit(0)"), "crashed instead of failing"),
        "cannot_import": (mutant_text("no-limit", 2, "import nowhere"), "broken instead of failing"),
    }
    for name, (text, _) in wrong.items():
        write(kata.mutants / f"{name}.py", text)
    complaints = checked(kata).complaints
    for name, (_, complaint) in wrong.items():
        assert any(line.startswith(f"mutant {name}: ") and complaint in line for line in complaints), complaints


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (mutant_text("Off by one", 1, ""), "extra.py: its docstring needs a line `Trap: kebab-case-name`"),
        ('"""Trap: no-limit"""', "extra.py: its docstring needs a line `Rule: N`"),
        ("def broken(:", "extra.py is not valid Python"),
    ],
)
def test_a_mutant_declares_trap_and_rule(tmp_path, text, complaint):
    with pytest.raises(DeclarationError, match=re.escape(complaint)):
        declared.mutant(write(tmp_path / "extra.py", text))


@pytest.mark.parametrize("breaks", ["3", "because it is", "3 because", "", "perhaps"])
def test_an_alternative_declares_what_it_breaks_and_why(tmp_path, breaks):
    with pytest.raises(DeclarationError, match=r"extra.py: its docstring needs a line `Breaks: none`"):
        declared.alternative(write(tmp_path / "extra.py", alternative_text("", breaks)))


def test_a_declaration_that_is_wrong_is_one_complaint(kata):
    write(kata.mutants / "extra.py", "x = 1")
    write(kata.alternatives / "extra.py", "x = 1")
    assert [line.partition(":")[0] for line in checked(kata).complaints] == ["extra.py", "extra.py"]


def test_alternatives_that_do_not_fare_as_declared_are_named(kata):
    wrong = {
        "too_lax": (
            alternative_text(SOLUTION.replace("limit < 1", "limit < 0")),
            "test_limit_is_checked rejects it (rule 3)",
        ),
        "no_breaker": (
            alternative_text(SOLUTION, "3 because it never checks"),
            "declares that it breaks rule 3, yet it passes",
        ),
        "cannot_import": (alternative_text("import nowhere"), "broken: "),
    }
    for name, (text, _) in wrong.items():
        write(kata.alternatives / f"{name}.py", text)
    complaints = checked(kata).complaints
    for name, (_, complaint) in wrong.items():
        assert any(line.startswith(f"alternative {name}: ") and complaint in line for line in complaints), complaints


def test_an_alternative_may_break_what_it_declares(kata):
    text = alternative_text(SOLUTION.replace("limit < 1", "limit < 0"), "3 because the library\n    checks late")
    write(kata.alternatives / "extra.py", text)
    found = checked(kata)
    assert found.done
    assert len(found.spared) == 3


def test_too_few_mutants_and_alternatives_are_counted(kata):
    (kata.mutants / "unchecked.py").unlink()
    (kata.alternatives / "downwards.py").unlink()
    assert checked(kata).complaints == (
        "7 mutants; a kata has at least 8.",
        "1 alternatives; a kata has at least 2.",
    )


def test_missing_files_are_listed(kata):
    kata.readme.unlink()
    kata.test_file.unlink()
    found = checked(kata)
    assert found.complaints == ("missing: katas/basics/ticker/README.md, katas/basics/ticker/test_ticker.py.",)
    assert found.solution is None


def test_a_weak_test_lowers_the_score_and_an_explained_survivor_does_not(kata, capsys, monkeypatch):
    monkeypatch.chdir(kata.root)
    edit(kata.test_file, '    lab.expect("left", ticker.left, 0, trap="no-limit")\n', "")
    assert mutate.main("ticker", False) == 1
    printed = capsys.readouterr().out
    assert "-        return self.limit - self.count\n+        return self.limit + self.count\n" in printed
    assert "solutions/basics/ticker.py (arithmetic@24:26)" in printed
    assert '["arithmetic@24:26"]\nwas = \'return self.limit - self.count\'\nwhy = ""' in printed
    assert "17 of 19 mutations noticed, 89.5% (goal 95%)" in printed

    line = "was = 'return self.limit - self.count'"
    write(
        kata.mutants / "survivors.toml",
        f'["return-none@24:15"]\n{line}\nwhy = "nobody reads it"\n["arithmetic@24:26"]\n{line}\nwhy = "so"\n',
    )
    assert mutate.main("ticker", True) == 0
    told = json.loads(capsys.readouterr().out)
    assert [survivor["why"] for survivor in told["explained"]] == ["nobody reads it", "so"]
    assert (told["survivors"], told["score"], told["total"]) == ([], 1.0, 17)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('["comparison@17:22"]\nwhy = "y"', "needs two lines"),
        ('["comparison@17:22"]\nwas = "x"\nwhy = " "', "needs two lines"),
        ("[", "is not valid TOML"),
    ],
)
def test_a_list_of_survivors_that_is_wrong_is_said(kata, text, complaint):
    path = write(kata.mutants / "survivors.toml", text)
    with pytest.raises(survivors.SurvivorsError, match=re.escape(str(path))) as caught:
        survivors.read(kata)
    assert complaint in str(caught.value)


def test_an_explanation_of_what_does_not_survive_is_stale(kata):
    write(kata.mutants / "survivors.toml", '["comparison@16:22"]\nwas = "x"\nwhy = "y"')
    complaints = checked(kata, fast=False).complaints
    assert complaints == ("survivors.toml explains comparison@16:22, which does not survive: remove it.",)


def test_the_table_and_the_exit_code(finished, capsys, monkeypatch):
    unfinished = replace(finished, score=None, complaints=("missing: hints.md.",))
    monkeypatch.setattr(command, "check", lambda katas, **options: [finished, unfinished][: len(katas)])
    monkeypatch.chdir(finished.kata.root)
    assert command.main([], False, False) == 0
    printed = capsys.readouterr().out
    assert "1 of 1 katas done" in printed
    [row] = [line for line in printed.splitlines() if "basics/ticker" in line]
    assert row.split()[:7] == ["basics/ticker", "3", "3", "fail", "green", "8/8", "2/2"]
    assert row.rstrip().endswith("1:4 2:2 3:2")

    monkeypatch.setattr(command, "check", lambda katas, **options: [unfinished])
    assert command.main(["ticker"], False, True) == 1
    printed = capsys.readouterr().out
    assert "ticker: missing: hints.md." in printed
    assert "0 of 1 katas done" in printed


def test_json_says_the_same(finished, capsys, monkeypatch):
    monkeypatch.setattr(command, "check", lambda katas, **options: [finished])
    monkeypatch.chdir(finished.kata.root)
    assert command.main([], True, False) == 0
    [found] = json.loads(capsys.readouterr().out)
    assert (found["kata"], found["done"], found["tests"]) == ("basics/ticker", True, 3)
    assert found["stub"] == {"failing": 3, "missing": 3}
    assert sum(mutant["dead"] for mutant in found["mutants"]) == 8
    assert found["score"]["ratio"] == 1.0


def test_golden_messages_are_written_compared_and_cleaned_up(kata, capsys, monkeypatch):
    monkeypatch.chdir(kata.root)
    monkeypatch.setenv("PYTHONHASHSEED", "0")  # spares another interpreter; the next test is about that
    for path in sorted(kata.mutants.glob("*.py"))[:4]:
        path.unlink()
    assert golden.main(load(kata.root).katas, False) == 1
    assert golden.main(load(kata.root).katas, True) == 0
    assert golden.main(load(kata.root).katas, False) == 0
    files = sorted(golden.directory(kata).glob("*.txt"))
    assert len(files) == 4
    text = (golden.directory(kata) / "zero_allowed.txt").read_text(encoding="utf-8")
    assert text.startswith("Rule 3  A limit below one raises ValueError.")
    assert "unchecked-limit" in text
    assert "zero_allowed" not in text  # a learner's file has another name

    files[0].write_text("something else\n", encoding="utf-8")
    (kata.mutants / "zero_allowed.py").unlink()
    capsys.readouterr()
    assert golden.main(load(kata.root).katas, False) == 1
    printed = capsys.readouterr().out
    assert "the message changed" in printed
    assert "zero_allowed.txt: its mutant is gone" in printed
    assert golden.main(load(kata.root).katas, True) == 0
    assert golden.main(load(kata.root).katas, False) == 0


def test_a_message_that_shows_the_hash_seed_is_made_under_seed_0(kata, monkeypatch):
    monkeypatch.chdir(kata.root)
    for path in kata.mutants.glob("*.py"):
        path.unlink()
    text = SOLUTION.replace("return self.count\n", "return hash(str(self.count))\n")
    write(kata.mutants / "hashed.py", mutant_text("off-by-one", 1, text))
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    assert golden.main(load(kata.root).katas, True) == 0
    file = golden.directory(kata) / "hashed.txt"
    seen = file.read_text(encoding="utf-8")
    monkeypatch.setenv("PYTHONHASHSEED", "7")  # for interpreters to come; this one keeps its own
    assert golden.main(load(kata.root).katas, False) == 0
    assert file.read_text(encoding="utf-8") == seen


def test_a_newer_python_may_have_its_own_message(tmp_path, monkeypatch):
    def at(version: tuple[int, int], message: str) -> golden.Golden:
        monkeypatch.setattr(golden, "PYTHON", version)
        return golden.Golden("late", tmp_path, message)

    assert at((3, 13), "old\n").path_to_write() == tmp_path / "late.txt"
    write(tmp_path / "late.txt", "old\n")
    write(tmp_path / "late.py3.12.txt", "new\n")
    assert at((3, 11), "old\n").difference() == ""
    assert at((3, 12), "new\n").difference() == ""
    assert at((3, 13), "new\n").difference() == ""
    assert "-new\n+newer" in at((3, 13), "newer\n").difference()
    assert at((3, 13), "newer\n").path_to_write() == tmp_path / "late.py3.13.txt"
    assert at((3, 11), "other\n").path_to_write() == tmp_path / "late.txt"
