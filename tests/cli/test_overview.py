"""`dojo` and `dojo list`: where the learner stands and what to type next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.catalog import Catalog, Kata
from dojo.practice import history, record_attempt

from .conftest import REPOSITORY, Run, solve


def test_a_newcomer_sees_the_first_kata_and_what_to_type(dojo: Run) -> None:
    result = dojo()
    assert result.code == 0
    assert result.out == (
        "0 of 2 katas solved\n"
        "\n"
        ">  add_one  not started  One more, and no less\n"
        "   add_two  not started  Two more\n"
        "\n"
        "Next: One more, and no less\n"
        "counting/add_one, difficulty 1 of 5, about 5 minutes\n"
        "\n"
        "  read    katas/counting/add_one/README.md\n"
        "  edit    katas/counting/add_one/add_one.py\n"
        "  test    dojo test add_one\n"
        "  or      pytest katas/counting/add_one\n"
        "  stuck?  dojo hint add_one\n"
    )


def test_commands_are_shown_as_this_person_types_them(dojo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "test    uv run dojo test add_one" in dojo(UV="/bin/uv", UV_RUN_RECURSION_DEPTH="1").out
    monkeypatch.setattr("sys.argv", ["/somewhere/dojo/cli/__main__.py"])
    out = dojo().out
    assert "test    python -m dojo.cli test add_one" in out
    assert "or      python -m pytest katas" in out


def test_paths_are_shown_as_seen_from_here(dojo: Run, first: Kata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(first.directory)
    assert "read    README.md\n" in dojo().out


def dojo_says_green(kata: Kata) -> None:
    with history(kata.root) as past:
        record_attempt(past, kata.name, kata.stub.read_bytes(), "green", kept=2, rules=2, where="test")


def test_progress_follows_the_file(dojo: Run, katas: Catalog, first: Kata) -> None:
    first.stub.write_text("mine = 1\n", encoding="utf-8")
    assert "add_one  in progress" in dojo().out
    assert "Go on with: One more" in dojo().out
    dojo_says_green(first)
    assert dojo().out.startswith("1 of 2 katas solved")
    assert "Next: Two more" in dojo().out
    first.stub.write_text("mine = 2\n", encoding="utf-8")
    assert "add_one  solved, edited since" in dojo().out
    dojo("reset", "add_one")
    assert "Next: One more, and no less (you have solved it before)" in dojo().out


def test_after_the_last_kata_there_is_still_something_to_do(dojo: Run, katas: Catalog) -> None:
    for kata in katas:
        solve(kata)
        dojo_says_green(kata)
    out = dojo().out
    assert out.startswith("2 of 2 katas solved")
    assert "All solved. `dojo reset KATA`" in out


def test_list_shows_the_syllabus_in_order(dojo: Run) -> None:
    assert dojo("list").out.splitlines() == [
        "kata     track     difficulty  minutes  needs    state",
        "add_one  counting  1 of 5      5        -        not started",
        "add_two  counting  2 of 5      10       add_one  not started",
    ]


def test_list_speaks_json(dojo: Run, katas: Catalog) -> None:
    listed = json.loads(dojo("list", "--json").out)
    assert [kata["name"] for kata in listed] == ["add_one", "add_two"]
    assert listed[1]["needs"] == ["add_one"]
    assert listed[0]["state"] == "new"
    assert Path(listed[0]["directory"]) == katas.katas[0].directory


def test_an_incomplete_kata_is_listed_not_crashed_upon(dojo: Run, first: Kata) -> None:
    first.test_file.unlink()
    result = dojo("list")
    assert result.code == 0
    assert "add_one  counting  1 of 5      5        -        incomplete" in result.out


def test_a_broken_syllabus_is_the_tools_failure(dojo: Run, katas: Catalog) -> None:
    from dojo import catalog

    (katas.root / "katas" / "syllabus.toml").write_text("[[kata", encoding="utf-8")
    catalog._load.cache_clear()
    result = dojo("list")
    assert result.code == 3
    assert "not valid TOML" in result.err


def test_damaged_progress_is_moved_aside_and_said(dojo: Run, katas: Catalog) -> None:
    (katas.root / ".dojo").mkdir()
    (katas.root / ".dojo" / "progress.sqlite3").write_text("no database", encoding="utf-8")
    result = dojo()
    assert result.code == 0
    assert "progress.sqlite3 is damaged" in result.err
    assert list((katas.root / ".dojo").glob("progress-damaged-*.sqlite3"))


def test_colours_only_on_a_terminal_and_never_under_no_color(dojo: Run) -> None:
    assert "\x1b" not in dojo("list").out
    assert "\x1b" in dojo("list", FORCE_COLOR="1", TERM="xterm").out
    assert "\x1b[3" not in dojo("list", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm").out


def a_process_of_its_own(katas: Catalog, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in the little clone, with the dojo of this one."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=katas.root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_starting_up_imports_nothing_heavy(katas: Catalog) -> None:
    code = (
        "import sys\n"
        "sys.argv = ['dojo', 'list']\n"
        "from dojo.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    heavy = ('pytest', '_pytest', 'celery', 'redis', 'fakeredis', 'fastapi', 'hypothesis', 'asyncio')\n"
        "    print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    ran = a_process_of_its_own(katas, "-c", code)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.strip() == "[]"


def test_an_ascii_terminal_gets_a_checklist_too(katas: Catalog) -> None:
    solve(katas.katas[0])
    ran = a_process_of_its_own(katas, "-m", "dojo.cli", "test", "add_one", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0, ran.stderr
    assert "  +  1  The result is 1 more than the number.\n" in ran.stdout
    assert "python -m dojo.cli diff add_one" in ran.stdout


def test_a_fault_of_the_dojo_itself_is_exit_code_three(katas: Catalog) -> None:
    code = (
        "import sys\n"
        "sys.argv = ['dojo', 'list']\n"
        "import dojo.cli.overview\n"
        "dojo.cli.overview.states = lambda katas: 1 // 0\n"
        "from dojo.cli import main\n"
        "main()\n"
    )
    ran = a_process_of_its_own(katas, "-c", code)
    assert ran.returncode == 3
    assert "ZeroDivisionError" in ran.stderr
    assert "a fault in the dojo, not in your code" in ran.stderr


@pytest.mark.parametrize(
    "command",
    [
        "",
        "list",
        "test",
        "hint",
        "solution",
        "reset",
        "drill",
        "review",
        "doctor",
        "author check",
        "author mutate",
        "author golden",
        "author stubs",
        "author readme",
    ],
)
def test_every_command_has_help_with_an_example(dojo: Run, command: str) -> None:
    result = dojo(*command.split(), "--help")
    assert result.code == 0
    assert f"Example:\n    dojo {command}".rstrip() in result.out


@pytest.mark.parametrize("arguments", [["lits"], ["list", "--jsn"], ["reset"], ["author", "stub"]])
def test_wrong_usage_is_exit_code_two(dojo: Run, arguments: list[str]) -> None:
    result = dojo(*arguments)
    assert result.code == 2
    assert "Usage: dojo" in result.err


@pytest.mark.parametrize(
    "command", ["test", "hint", "solution", "reset", "author check", "author mutate", "author stubs"]
)
def test_an_unknown_kata_lists_the_nearest_names(dojo: Run, command: str) -> None:
    result = dojo(*command.split(), "ad_one")
    assert result.code == 2
    assert "no kata is called 'ad_one'. Nearest: add_one" in result.err


def test_what_is_next_and_what_it_leads_to(dojo: Run, first: Kata) -> None:
    result = dojo("next")
    assert result.code == 0
    assert result.out.startswith("Next: One more, and no less\n")
    assert result.out.endswith("  opens   add_two\n")
    dojo_says_green(first)
    solve(first)
    assert dojo("next").out.endswith("  needs   add_one\n")


def test_the_way_to_a_kata_leads_through_what_it_builds_on(dojo: Run, katas: Catalog, first: Kata) -> None:
    out = dojo("next", "add_two").out
    assert out.startswith("2 katas, about 15 minutes\n")
    assert "Next: One more, and no less" in out
    assert [kata["name"] for kata in json.loads(dojo("next", "counting", "--json").out)] == ["add_one", "add_two"]
    for kata in katas:
        solve(kata)
        dojo_says_green(kata)
    assert dojo("next", "add_two").out == "Solved already: add_two.\n"
    assert dojo("next").out.startswith("All solved.")


def test_what_somebody_works_on_comes_before_what_it_builds_on(dojo: Run, katas: Catalog) -> None:
    katas.katas[1].stub.write_text("mine = 1\n", encoding="utf-8")
    assert "Go on with: Two more" in dojo("next").out


def test_a_way_to_nowhere_is_refused(dojo: Run) -> None:
    result = dojo("next", "add_tree")
    assert result.code == 2
    assert "add_t" in result.err
