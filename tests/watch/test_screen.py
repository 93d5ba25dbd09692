"""Whatever there is to show fits into the window."""

from __future__ import annotations

from datetime import datetime

import pytest
from rich.cells import cell_len

from dojo.catalog import load
from dojo.runner.results import Outcome, RunResult, TestResult
from dojo.watch.scene import Page, Scene, Verdict
from dojo.watch.screen import Frame, ansi, failure_lines, frame

MARKS = {"passed": "✓", "failed": "✗", "not-run": "·"}
MESSAGE = (
    "Rule 2  The second sentence, which is long and goes on and on, further than a line:    mine.py\n"
    "        it has a second line.\n\n"
    "  0.000       GET 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 → None\n" * 2 + "\n  expected  1\n  got       2"
)


def outcome_of(number: int, outcome: Outcome, kind: str | None = None) -> TestResult:
    message = MESSAGE if outcome == "failed" else ""
    return TestResult(f"test_{number}", number, f"Sentence {number} of the rules.", outcome, kind=kind, message=message)


@pytest.fixture
def scene() -> Scene:
    katas = load()
    return Scene(katas, katas.find("dlq_router"), {kata.name: "new" for kata in katas})


def red(*tests: TestResult, output: str = "") -> Verdict:
    return Verdict(RunResult("dlq_router", "red", tests, 1.0, 1.0, output, tests[-1].message), datetime(2026, 1, 1))


def plain(drawn: Frame) -> list[str]:
    return [line.plain.rstrip() for line in drawn.lines]


@pytest.mark.parametrize("width", [1, 20, 80, 200])
@pytest.mark.parametrize("height", [1, 6, 24])
def test_no_line_is_too_wide_and_there_are_never_too_many(scene: Scene, width: int, height: int) -> None:
    verdict = red(outcome_of(1, "passed"), outcome_of(2, "failed"), outcome_of(3, "not-run"), output="漢字\tx " * 40)
    pages = [
        None,
        Page("hints", "hints", "**Bold** words. " * 60, "markdown"),
        Page("diff", "d", "+a\n-b" * 40, "diff"),
    ]
    for page in pages:
        scene.verdict, scene.page, scene.top = verdict, page, 10**6
        drawn = frame(scene, width, height, MARKS)
        assert len(drawn.lines) <= height
        assert all(cell_len(line.plain) <= width for line in drawn.lines)
    scene.page, scene.listing, scene.cursor = None, True, 5
    assert all(cell_len(line.plain) <= width for line in frame(scene, width, height, MARKS).lines)


def test_what_is_not_written_yet_is_still_to_come(scene: Scene) -> None:
    scene.verdict = red(outcome_of(1, "passed"), outcome_of(2, "failed"), outcome_of(3, "failed", "missing"))
    lines = plain(frame(scene, 80, 40, MARKS))
    assert lines[2:5] == [
        "  ✓  1  Sentence 1 of the rules.",
        "  ✗  2  Sentence 2 of the rules.",
        "  ·  3  Sentence 3 of the rules.",
    ]
    messaging = sum(kata.track == "messaging" for kata in scene.katas)
    assert lines[0].endswith(f"messaging 0/{messaging} · all 0/{len(scene.katas)}")
    assert lines[-2].startswith("✗ 1 of 3 rules hold · 1.0 s")


def test_the_failure_comes_before_the_rules_sentences_where_both_do_not_fit(scene: Scene) -> None:
    scene.verdict = red(outcome_of(1, "passed"), outcome_of(2, "failed"))
    lines = plain(frame(scene, 80, 14, MARKS))
    assert lines[2] == "  ✓1  ✗2"
    assert "more lines" in lines[-2]


def test_a_sentence_is_laid_out_for_this_window() -> None:
    lines = [line.plain for line in failure_lines(MESSAGE, 60)]
    assert lines[:2] == [
        "Rule 2  The second sentence, which is long and goes on and ",
        "        on, further than a line: it has a second line.",
    ]
    assert "".join(lines).count("漢字") == 40 // 2


def test_colours_can_be_left_out(scene: Scene) -> None:
    scene.verdict = red(outcome_of(1, "passed"), outcome_of(2, "failed"))
    lines = frame(scene, 80, 24, MARKS).lines
    assert any("\x1b[3" in ansi(line, True) or ";3" in ansi(line, True) for line in lines)
    assert not any("\x1b[3" in ansi(line, False) or ";3" in ansi(line, False) for line in lines)
