"""A drill at a real terminal, and whatever may interrupt it."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dojo.catalog import Catalog, Kata
from dojo.practice import drill

from .conftest import Run, events
from .drill_murder import murder
from .terminal import PATIENCE_S, Terminal

WRONG = "def add_one(number):\n    return number\n"
QUESTIONS = """
## Going further

<details><summary>And two?</summary>

Twice.
</details>
<details><summary>And three?</summary>

Thrice.
</details>
"""


def file_of(katas: Catalog) -> Path:
    """The file of the drill that is going on, once it is there."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := drill.unfinished(katas.root)) is None:
        assert time.monotonic() < deadline
    return found.file


def test_a_drill_from_the_first_look_to_the_last_question(katas: Catalog, first: Kata, dojo: Run) -> None:
    with first.readme.open("a", encoding="utf-8") as readme:
        readme.write(QUESTIONS)
    with Terminal(katas.root, "drill", "--minutes", "5", NO_COLOR="1") as terminal:
        terminal.see("One more, and no less")
        terminal.see("5:00 of 5:00 minutes")
        terminal.see("katas/counting/add_one/README.md")
        terminal.see("h hint  f failure  e editor  g give up  q pause")
        file = file_of(katas)
        file.write_text(WRONG, encoding="utf-8")
        terminal.see("✗ 0 of 2 rules  first: 1 The result is 1 more than the number.")
        terminal.press("f")
        terminal.see("trap      same-number")
        terminal.press("h")
        terminal.see("hint 1 of 4: Say it again")
        file.write_bytes(first.solution.read_bytes())
        terminal.see("✓ 2 of 2 rules")
        terminal.see("Green in 0:")
        terminal.see("Rated good; due again in 2 days")
        terminal.see("1 of 2  And two?")
        terminal.press(" ")
        terminal.see("Twice.")
        terminal.see("2 of 2  And three?")
        terminal.press("q")
        assert terminal.ended() == 0
    assert "Thrice." not in terminal.text
    assert all(len(line) < 80 for line in re.split(r"[\r\n]", terminal.text) if "q pause" in line or " left  " in line)
    assert "add_one" in dojo("drill", "--history").out
    [ended] = events(katas, "drill")
    assert (ended.data["rating"], ended.data["hints"], ended.data["kept"]) == ("good", 1, 2)


def test_time_up_shows_what_is_still_red(katas: Catalog, first: Kata) -> None:
    drill.begin(first, 1.2).file.write_text(WRONG, encoding="utf-8")
    with Terminal(katas.root, "drill", "--resume") as terminal:
        terminal.see("Time is up: 0 of 2 rules held, no hints.")
        terminal.see("✗  1  The result is 1 more than the number.")
        terminal.see("trap      same-number")
        terminal.see("Rated again; due again tomorrow")
        assert terminal.ended() == 1
    [ended] = events(katas, "drill")
    assert (ended.data["status"], ended.data["seconds"], ended.data["limit_seconds"]) == ("time-up", 1.2, 1.2)


def test_giving_up(katas: Catalog) -> None:
    with Terminal(katas.root, "drill") as terminal:
        terminal.see("q pause")
        terminal.press("g")
        terminal.see("give up? g once more")
        terminal.press("g")
        terminal.see("Given up after 0:")
        assert terminal.ended() == 1
    [ended] = events(katas, "drill")
    assert (ended.data["gave_up"], ended.data["rating"]) == (True, "again")


@pytest.mark.parametrize("how", ["q", "\x03", "close", "SIGTERM", "SIGKILL"])
def test_whatever_interrupts_a_drill_its_time_is_kept(how: str, katas: Catalog, dojo: Run) -> None:
    with Terminal(katas.root, "drill", "--minutes", "5") as terminal:
        terminal.see("4:5")
        match how:
            case "close":
                terminal.close()
            case "SIGTERM" | "SIGKILL":
                terminal.kill(getattr(signal, how))
            case _:
                terminal.press(how)
                terminal.see("Paused, 4:5")
                assert terminal.ended() == 1
    paused = drill.unfinished(katas.root)
    assert paused is not None
    # One second was seen to be over. Of what only the last moment knew, a kill may take half a second.
    assert (0.5 if how == "SIGKILL" else 1.0) <= paused.used_seconds < 10
    assert "A drill of add_one is unfinished" in dojo("drill").err
    assert events(katas, "drill") == []


def test_an_interrupted_drill_goes_on_where_it_was(katas: Catalog, first: Kata) -> None:
    going = drill.begin(first, 300.0)
    drill.keep(replace(going, used_seconds=200.0, hints=1))
    with Terminal(katas.root, "drill", "--resume") as terminal:
        terminal.see("1:40 of 5:00 minutes")
        terminal.see("q pause")
        going.file.write_bytes(first.solution.read_bytes())
        terminal.see("Rated good")
        assert terminal.ended() == 0
    [ended] = events(katas, "drill")
    assert ended.id == going.id
    assert 200 <= ended.data["seconds"] < 230


def test_the_terminal_is_given_back_as_it_was(katas: Catalog) -> None:
    with Terminal(katas.root, "drill") as terminal:
        terminal.see("q pause")
        assert not terminal.restored
        terminal.press("q")
        terminal.see("Paused")
        assert terminal.ended() == 1
        assert terminal.restored


def test_without_a_terminal_there_are_plain_lines(katas: Catalog, first: Kata) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "dojo.cli", "drill", "--kata", "add_one"],
        cwd=katas.root,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    file_of(katas).write_bytes(first.solution.read_bytes())
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "\x1b" not in out
    assert "\r" not in out
    assert "left  ✓ 2 of 2 rules\n" in out
    assert "hints  katas/counting/add_one/hints.md" in out
    assert "go further         python -m dojo.cli further add_one" in out


def test_kill_9_at_any_moment_loses_nothing(katas: Catalog) -> None:
    lot = random.Random(20)
    killed = [murder(katas, lot) for _ in range(3)]
    assert all(one.shown <= one.recorded for one in killed), killed
    assert json.loads((file_of(katas).parent / drill.STATE).read_text())["kata"] == "add_one"
