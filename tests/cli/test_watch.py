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
from .pseudo import PATIENCE_S, at_a_terminal, children

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
    with at_a_terminal("watch", cwd=katas.root) as screen:
        # The stub: one failure in full, the rest is still to come.
        text = screen.until("0 of 2 rules hold", "not written yet")
        assert text.startswith("add_one  One more, and no less")
        assert text.splitlines()[0].endswith("counting 0/2 · all 0/2")
        assert "  ✗  1  The result is 1 more" in text
        assert "  ·  2  A number below zero" in text
        assert text.splitlines()[-1].startswith("h hint")

        save(first, WRONG)
        text = screen.until("same-number", "called with 1")
        assert "called with 0" not in text
        save(first, NO_CHECK)
        text = screen.until("1 of 2 rules hold", "no-check")
        assert "  ✓  1  The result" in text
        assert "  ✗  2  A number below" in text

        # Hints unlock as in `dojo hint`, and are remembered.
        screen.press("h")
        assert "Count aloud." in screen.until("1 of 4: Say it again", "Esc back")
        screen.press("h")
        screen.until("Hint 2 of 4 unlocks")
        screen.press("s")
        screen.until("stays hidden until yours is green")
        first.stub.write_text(NO_CHECK + "\n", encoding="utf-8")
        screen.until("no-check", without="Count aloud")
        screen.press("h")
        screen.until("2 of 4: The idea")
        screen.press("\x1b")
        screen.until("no-check")

        # Green: it stops and waits.
        first.stub.unlink()
        screen.until("cannot be read", "dojo.cli reset add_one")
        first.stub.write_bytes(first.solution.read_bytes().replace(b"Counting", b"My counting"))
        text = screen.until("all 2 rules hold", "s compare")
        assert text.splitlines()[0].endswith("counting 1/2 · all 1/2")
        screen.press("s")
        screen.until('-"""My counting upwards."""', '+"""Counting upwards."""')
        screen.press("s")
        screen.until("the reference", "raise ValueError(number)")
        screen.press("l")
        screen.until(" > add_one  solved", "   add_two  not started")
        screen.press("q")
        screen.until("all 2 rules hold")
        screen.press("n")
        screen.until("add_two  Two more", "Now add_two", "0 of 2 rules hold")
        screen.press("l")
        screen.until(" > add_two")
        screen.press("k\r")
        screen.until("add_one  One more", "all 2 rules hold")
        screen.press("q")
        assert screen.ended() == 0
        assert screen.restored
        assert screen.raw.decode().endswith("add_one: all 2 rules hold. Go on: python -m dojo.cli watch\r\n")
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
    with at_a_terminal("watch", "add_one", cwd=katas.root, columns=40, lines=10, **program) as screen:
        text = screen.until("1 of 2 rules hold", "6 more")
        assert "✓1  ✗2" in text  # no room for the sentences
        screen.press(" ")
        screen.until("2 more")
        screen.press("G")
        screen.until("the end")
        screen.resize(100, 40)
        text = screen.until("A number below zero is refused.", without="more:")
        assert text.splitlines()[-1].startswith("h hint")
        screen.resize(20, 3)
        screen.until("1 of 2 rules")
        screen.resize(80, 24)
        screen.until("A number below zero is refused.")

        screen.press("o")
        screen.until_true(lambda _: (katas.root / "paged").exists(), "the pager")
        screen.press("e")
        screen.until_true(lambda _: (katas.root / "modes").exists(), "the editor")
        screen.press("x =\n")
        screen.until("nothing could be run", "SyntaxError")
        modes = (katas.root / "modes").read_text(encoding="utf-8").split()
        assert {"icanon", "echo"} <= set(modes)
        assert "A number below zero" in (katas.root / "paged").read_text(encoding="utf-8")

        # Ctrl-Z gives the terminal back, and takes it again.
        screen.press("\x1a")
        screen.until_true(lambda _: stopped(screen.pid), "a stop")
        screen.until_true(lambda _: screen.restored, "the terminal")
        os.kill(screen.pid, signal.SIGCONT)
        screen.until_true(lambda _: not screen.restored, "the screen")
        save(first, NO_CHECK)
        screen.until("1 of 2 rules hold")
        screen.press("\x03")
        assert screen.ended() == 0
        assert screen.restored
        assert b"\x1b[3" not in screen.raw


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_an_endless_loop_is_a_verdict_and_a_save_ends_it(katas: Catalog, first: Kata) -> None:
    save(first, ENDLESS)
    with at_a_terminal("watch", "--auto", cwd=katas.root) as screen:
        screen.until("running")
        [server] = children(screen.pid)
        screen.until_true(lambda _: any(children(host) for host in children(server)), "a run")
        [run] = [run for host in children(server) for run in children(host)]
        save(first, NO_CHECK)
        screen.until("no-check", "1 of 2 rules hold")
        screen.until_true(lambda _: not Path(f"/proc/{run}").exists(), "the end of the run")
        save(first, ENDLESS)
        screen.until("never finishes", "0 of 2 rules hold", "add_one.py:")
        solve(first)
        screen.until("add_one is green. Now add_two", "0 of 2 rules hold")
        os.kill(screen.pid, signal.SIGTERM)
        assert screen.ended() == 128 + signal.SIGTERM
        assert screen.restored
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
