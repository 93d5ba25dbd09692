"""`dojo drill`: options that do not go together."""

from __future__ import annotations

import pytest

from dojo.catalog import Catalog, Kata
from dojo.practice import drill as drills

from .conftest import Run


@pytest.mark.parametrize("minutes", ["25", "5"])
def test_a_resumed_drill_keeps_its_limit_and_says_so(dojo: Run, katas: Catalog, first: Kata, minutes: str) -> None:
    begun = drills.begin(first, 300.0)
    result = dojo("drill", "--resume", "--minutes", minutes)
    assert result.code == 2
    assert "--minutes is for a new drill; an unfinished one keeps its limit." in result.err
    assert "dojo drill --resume\n" in result.err
    assert "dojo drill --abandon" in result.err
    assert drills.unfinished(katas.root) == begun


def test_a_check_may_repeat_the_minutes_that_it_began_with(dojo: Run, katas: Catalog) -> None:
    """An editor is told one command, for the first check and for those that follow."""
    for minutes in ("60", "60", "30"):
        assert dojo("drill", "--check", "--kata", "add_one", "--minutes", minutes).code == 1
    unfinished = drills.unfinished(katas.root)
    assert unfinished is not None
    assert unfinished.limit_seconds == 3600.0


@pytest.mark.parametrize("mode", ["--resume", "--abandon", "--history"])
@pytest.mark.parametrize("option", [("--track", "first"), ("--random",), ("--seed", "3")])
def test_what_chooses_a_new_drill_is_refused_where_none_begins(
    dojo: Run, katas: Catalog, first: Kata, mode: str, option: tuple[str, ...]
) -> None:
    begun = drills.begin(first, 300.0)
    result = dojo("drill", mode, *option)
    assert result.code == 2
    assert f"{option[0]} is for a new drill and means nothing to {mode}." in result.err
    assert drills.unfinished(katas.root) == begun
