"""`dojo plot`: what an implementation does, beside the reference."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from dojo import catalog
from dojo.catalog import Catalog, Kata

from .conftest import REPOSITORY, Run, solve

SYLLABUS = """
[[kata]]
track = "resilience"
name = "backoff_schedule"
title = "Delays"
difficulty = 2
minutes = 30
needs = []
"""


@pytest.fixture
def backoff(katas: Catalog) -> Kata:
    """The real kata, in the little clone."""
    path = katas.root / "katas" / "syllabus.toml"
    path.write_text(path.read_text(encoding="utf-8") + SYLLABUS, encoding="utf-8")
    catalog._load.cache_clear()
    kata = catalog.load(katas.root).find("backoff_schedule")
    real = catalog.load(REPOSITORY).find("backoff_schedule")
    shutil.copytree(real.directory, kata.directory, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(real.mutants, kata.mutants, ignore=shutil.ignore_patterns("__pycache__"))
    kata.solution.parent.mkdir(exist_ok=True)
    shutil.copy(real.solution, kata.solution)
    return kata


def stub(kata: Kata) -> None:
    from dojo.stubs import write_stub

    write_stub(kata)


def test_yours_is_drawn_beside_the_reference(dojo: Run, backoff: Kata) -> None:
    solve(backoff)
    result = dojo("plot", "backoff")
    assert result.code == 0
    assert result.err == ""
    lines = result.out.splitlines()
    assert lines[0] == "backoff_schedule  In virtual time, seed 7: yours beside the reference."
    assert max(map(len, lines)) <= 80
    assert result.out.isascii()
    assert "yours      at most 1000 a second, at 5 s; the last gets through at 75 s" in lines
    assert "reference  at most 1000 a second, at 5 s; the last gets through at 75 s" in lines
    assert dojo("plot", "backoff").out == result.out


def test_a_stub_leaves_the_reference_alone(dojo: Run, backoff: Kata) -> None:
    stub(backoff)
    result = dojo("plot", "backoff_schedule")
    assert result.code == 1
    assert "seed 7: the reference alone." in result.out
    assert "reference  at most 1000 a second" in result.out
    assert result.err.startswith("yours: not written yet (backoff_schedule.py:")


def test_code_that_fails_is_told_and_the_reference_is_drawn(dojo: Run, backoff: Kata) -> None:
    backoff.stub.write_text("class Backoff:\n    def __init__(self, **k): 1 / 0\n", encoding="utf-8")
    result = dojo("plot", "backoff_schedule")
    assert result.code == 1
    assert "reference  at most 1000 a second" in result.out
    assert result.err == (
        "yours could not be drawn:\n"
        "  ZeroDivisionError: division by zero\n"
        "  at backoff_schedule.py:2 in __init__\n"
        "      def __init__(self, **k): 1 / 0\n"
    )


def test_another_implementation_goes_by_its_own_name(dojo: Run, backoff: Kata) -> None:
    result = dojo("plot", "backoff_schedule", "--impl", str(backoff.mutants / "linear.py"))
    assert result.code == 0
    assert "linear beside the reference" in result.out


def test_json_has_what_was_measured(dojo: Run, backoff: Kata) -> None:
    solve(backoff)
    result = dojo("plot", "backoff_schedule", "--json")
    data = json.loads(result.out)
    assert (data["kata"], data["seed"]) == ("backoff_schedule", 7)
    yours, reference = data["implementations"]
    assert (yours["name"], reference["name"]) == ("yours", "reference")
    assert yours["charts"] == reference["charts"]
    assert yours["charts"][0]["shown"]["points"][5] == [5.0, 1000.0]


def test_files_are_written_where_asked_for_and_by_default(
    dojo: Run, backoff: Kata, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve(backoff)
    monkeypatch.chdir(backoff.root)
    result = dojo("plot", "--html", "backoff_schedule", "--svg", "herd.svg")
    assert result.code == 0
    assert result.out == ""
    assert result.err == "wrote .dojo/plots/backoff_schedule.html\nwrote herd.svg\n"
    ElementTree.fromstring(Path("herd.svg").read_text(encoding="utf-8"))
    html = Path(".dojo/plots/backoff_schedule.html").read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert dojo("plot", "backoff_schedule", "--html", "mine.html").code == 0
    assert Path("mine.html").read_text(encoding="utf-8") == html
    assert dojo("plot", "backoff_schedule", "--html").err == "wrote .dojo/plots/backoff_schedule.html\n"
    unwritable = dojo("plot", "backoff_schedule", "--svg", "pyproject.toml/herd.svg")
    assert unwritable.code == 3
    assert "Make it writable" in unwritable.err


def test_wrong_usage(dojo: Run, backoff: Kata) -> None:
    for arguments, told in (
        (["add_one"], "add_one has no picture yet. There are some of: backoff_schedule."),
        (["ad_one"], "no kata is called 'ad_one'"),
        (["backoff_schedule", "--impl", "nowhere"], "no implementation at nowhere"),
        (["backoff_schedule", "--impl", "tests"], "tests does not implement backoff_schedule"),
    ):
        result = dojo("plot", *arguments)
        assert result.code == 2
        assert told in result.err
    backoff.stub.unlink()
    assert "`dojo reset backoff_schedule` restores the stub" in dojo("plot", "backoff_schedule").err


def test_a_reference_that_cannot_be_drawn_is_our_failure(dojo: Run, backoff: Kata) -> None:
    solve(backoff)
    backoff.solution.write_text("", encoding="utf-8")
    result = dojo("plot", "backoff_schedule")
    assert result.code == 3
    assert "does not define Backoff" in result.err


def test_both_charts_fit_a_small_terminal(backoff: Kata) -> None:
    solve(backoff)
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "utf-8", "TERM": "xterm"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "dojo.cli", "plot", "backoff_schedule"]
    with subprocess.Popen(command, cwd=backoff.root, env=environment, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the other side is closed
            while data := os.read(screen, 1 << 16):
                shown += data
    os.close(screen)
    assert process.returncode == 0
    assert "\x1b[36m██" in shown.decode()
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80


def test_help_has_an_example(dojo: Run) -> None:
    result = dojo("plot", "--help")
    assert result.code == 0
    assert "Example:\n    dojo plot backoff_schedule" in result.out
