"""`dojo watch`, as somebody at a terminal uses it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.catalog import Catalog, Kata
from dojo.practice import history

from .conftest import REPOSITORY, Run, solve
from .terminal import PATIENCE_S, Terminal, children

WRONG = '"""Mine."""\n\n\ndef add_one(number):\n    print("called with", number)\n    return number\n'
NO_CHECK = '"""Mine."""\n\n\ndef add_one(number):\n    return number + 1\n'
ENDLESS = '"""Mine."""\n\n\ndef add_one(number):\n    while True:\n        pass\n'


def save(kata: Kata, text: str) -> None:
    """As editors do that write a new file and rename it."""
    draft = kata.stub.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, kata.stub)


def attempts(katas: Catalog, kata: str) -> list[tuple[str, int, str]]:
    with history(katas.root) as past:
        return [
            (event.data["status"], event.data["kept"], event.data["where"]) for event in past.events(kata, "attempt")
        ]


def test_from_red_to_green_to_the_next_kata(katas: Catalog, first: Kata) -> None:
    with Terminal(katas.root, "watch") as terminal:
        # The stub: one failure in full, the rest is still to come.
        text = terminal.until("0 of 2 rules hold", "not written yet")
        assert text.startswith("add_one  One more, and no less")
        assert text.splitlines()[0].endswith("counting 0/2 · all 0/2")
        assert "  ✗  1  The result is 1 more" in text
        assert "  ·  2  A number below zero" in text
        assert text.splitlines()[-1].startswith("h hint")

        save(first, WRONG)
        text = terminal.until("same-number", "called with 1")
        assert "called with 0" not in text
        save(first, NO_CHECK)
        text = terminal.until("1 of 2 rules hold", "no-check")
        assert "  ✓  1  The result" in text
        assert "  ✗  2  A number below" in text

        # Hints unlock as in `dojo hint`, and are remembered.
        terminal.press("h")
        assert "Count aloud." in terminal.until("1 of 4: Say it again", "Esc back")
        terminal.press("h")
        terminal.until("Hint 2 of 4 unlocks")
        terminal.press("s")
        terminal.until("stays hidden until yours is green")
        first.stub.write_text(NO_CHECK + "\n", encoding="utf-8")
        terminal.until("no-check", without="Count aloud")
        terminal.press("h")
        terminal.until("2 of 4: The idea")
        terminal.press("\x1b")
        terminal.until("no-check")

        # Green: it stops and waits.
        first.stub.unlink()
        terminal.until("cannot be read", "dojo.cli reset add_one")
        first.stub.write_bytes(first.solution.read_bytes().replace(b"Counting", b"My counting"))
        text = terminal.until("all 2 rules hold", "s compare")
        assert text.splitlines()[0].endswith("counting 1/2 · all 1/2")
        terminal.press("s")
        terminal.until('-"""My counting upwards."""', '+"""Counting upwards."""')
        terminal.press("s")
        terminal.until("the reference", "raise ValueError(number)")
        terminal.press("l")
        terminal.until(" > add_one  solved", "   add_two  not started")
        terminal.press("q")
        terminal.until("all 2 rules hold")
        terminal.press("n")
        terminal.until("add_two  Two more", "Now add_two", "0 of 2 rules hold")
        terminal.press("l")
        terminal.until(" > add_two")
        terminal.press("k\r")
        terminal.until("add_one  One more", "all 2 rules hold")
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.restored
        assert terminal.raw.decode().endswith("add_one: all 2 rules hold. Go on: python -m dojo.cli watch\r\n")
    recorded = attempts(katas, "add_one")
    assert [status for status, _, _ in recorded] == ["red", "red", "red", "red", "green", "green"]
    assert {where for _, _, where in recorded} == {"watch"}
    assert [kept for _, kept, _ in recorded] == [0, 0, 1, 1, 2, 2]


def test_a_window_of_any_size_and_a_terminal_that_comes_back(katas: Catalog, first: Kata, tmp_path: Path) -> None:
    editor = tmp_path / "my editor"
    editor.write_text('#!/bin/sh\nstty -a >modes\nread answer\necho "$answer" >"$2"\n', encoding="utf-8")
    editor.chmod(0o755)
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\ncat >paged\n", encoding="utf-8")
    pager.chmod(0o755)
    program = {"EDITOR": f"'{editor}' -x", "PAGER": str(pager), "NO_COLOR": "1"}
    save(first, NO_CHECK)
    with Terminal(katas.root, "watch", "add_one", columns=40, lines=10, **program) as terminal:
        text = terminal.until("1 of 2 rules hold", "6 more")
        assert "✓1  ✗2" in text  # no room for the sentences
        terminal.press(" ")
        terminal.until("2 more")
        terminal.press("G")
        terminal.until("the end")
        terminal.resize(100, 40)
        text = terminal.until("A number below zero is refused.", without="more:")
        assert text.splitlines()[-1].startswith("h hint")
        terminal.resize(20, 3)
        terminal.until("1 of 2 rules")
        terminal.resize(80, 24)
        terminal.until("A number below zero is refused.")

        terminal.press("o")
        terminal.until_true(lambda: (katas.root / "paged").exists(), "the pager")
        terminal.press("e")
        terminal.until_true(lambda: (katas.root / "modes").exists(), "the editor")
        terminal.press("x =\n")
        terminal.until("nothing could be run", "SyntaxError")
        modes = (katas.root / "modes").read_text(encoding="utf-8").split()
        assert {"icanon", "echo"} <= set(modes)
        assert "A number below zero" in (katas.root / "paged").read_text(encoding="utf-8")

        # Ctrl-Z gives the terminal back, and takes it again.
        terminal.press("\x1a")
        terminal.until_true(lambda: stopped(terminal.pid), "a stop")
        terminal.until_true(lambda: terminal.restored, "the terminal")
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.until_true(lambda: not terminal.restored, "the screen")
        save(first, NO_CHECK)
        terminal.until("1 of 2 rules hold")
        terminal.press("\x03")
        assert terminal.ended() == 0
        assert terminal.restored
        assert b"\x1b[3" not in terminal.raw


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_an_endless_loop_is_a_verdict_and_a_save_ends_it(katas: Catalog, first: Kata) -> None:
    save(first, ENDLESS)
    with Terminal(katas.root, "watch", "--auto") as terminal:
        terminal.until("running")
        [server] = children(terminal.pid)
        terminal.until_true(lambda: any(children(host) for host in children(server)), "a run")
        [run] = [run for host in children(server) for run in children(host)]
        save(first, NO_CHECK)
        terminal.until("no-check", "1 of 2 rules hold")
        terminal.until_true(lambda: not Path(f"/proc/{run}").exists(), "the end of the run")
        save(first, ENDLESS)
        terminal.until("never finishes", "0 of 2 rules hold", "add_one.py:")
        solve(first)
        terminal.until("add_one is green. Now add_two", "0 of 2 rules hold")
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.ended() == 128 + signal.SIGTERM
        assert terminal.restored
        assert not Path(f"/proc/{server}").exists()
    assert [status for status, _, _ in attempts(katas, "add_one")] == ["red", "red", "green"]


def test_without_a_terminal_each_verdict_is_a_block_of_lines(katas: Catalog, first: Kata) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dojo.cli", "watch", "add_one"],
        cwd=katas.root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = []
        for wanted in ("0 of 2 rules hold", "1 of 2 rules hold", "2 of 2 rules hold"):
            while wanted not in (lines or [""])[-1]:
                lines.append(process.stdout.readline())
                assert lines[-1], "".join(lines)
            if wanted.startswith("0"):
                save(first, NO_CHECK)
            elif wanted.startswith("1"):
                solve(first)
        process.stdin.close()
        rest = process.stdout.read()
        assert process.wait(PATIENCE_S) == 0
    assert lines[0] == "add_one: One more, and no less\n"
    assert "\x1b" not in "".join(lines) + rest
    assert [status for status, _, _ in attempts(katas, "add_one")] == ["red", "red", "green"]


def test_help_has_an_example_and_an_unknown_kata_is_wrong_usage(dojo: Run) -> None:
    assert "Example:\n    dojo watch" in dojo("watch", "--help").out
    assert dojo("watch", "ad_one").code == 2


def test_the_terminal_can_be_imported_without_posix(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys\n"
        "for name in ('termios', 'tty', 'fcntl', 'resource', 'pty'):\n"
        "    sys.modules[name] = None\n"
        "import dojo.watch.loop, dojo.watch.terminal\n"
        "print(dojo.watch.terminal.usable())\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("False\n", "")
