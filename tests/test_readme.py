"""What README.md shows is what the tools say."""

from __future__ import annotations

from pathlib import Path

from dojo.catalog import load
from dojo.readme import current
from dojo.runner import run

HERE = Path(__file__).parent
ROOT = HERE.parent


def test_the_failure_shown_is_a_real_one() -> None:
    """If the message has changed for the better, put it into tests/readme/failure.txt and `dojo author readme`."""
    kata = load(ROOT).find("rate_limiter")
    test = "test_racing_servers_admit_what_fits[1-0-1-1-check-then-act]"
    (result,) = run(kata, HERE / "readme" / "rate_limiter.py", only=[test]).tests
    shown = (HERE / "readme" / "failure.txt").read_text(encoding="utf-8")
    assert [line.rstrip() for line in result.message.strip("\n").splitlines()] == shown.splitlines()


def test_tables_and_quotations_are_current() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert current(text, load(ROOT)) == text
