"""The class repository is whole: green on a fresh clone, and whatever a learner writes into katas/."""

from __future__ import annotations

from pathlib import Path

import pytest

from dojo.catalog import Kata, load
from dojo.readme import current
from dojo.runner import Job, RunResult, run_many

ROOT = Path(__file__).parents[1]
KATAS = load(ROOT).katas


@pytest.fixture(scope="session")
def on_stubs() -> dict[str, RunResult]:
    """Each kata's tests, run on the stub as it was."""
    results = run_many([Job.of(kata, kata.pristine) for kata in KATAS])
    return {kata.name: result for kata, result in zip(KATAS, results, strict=True)}


@pytest.mark.parametrize("kata", KATAS, ids=lambda kata: kata.name)
def test_every_test_fails_on_the_stub(kata: Kata, on_stubs: dict[str, RunResult]) -> None:
    result = on_stubs[kata.name]
    assert result.tests, result.detail
    assert {test.outcome for test in result.tests} == {"failed"}, result.detail


@pytest.mark.parametrize("kata", KATAS, ids=lambda kata: kata.name)
def test_the_kata_is_complete(kata: Kata) -> None:
    yours = kata.stub.relative_to(ROOT)  # `dojo reset` brings it back
    assert [path for path in kata.missing() if path != yours] == []


def test_the_table_in_the_readme_is_current() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert current(text, load(ROOT)) == text
