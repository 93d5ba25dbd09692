"""The lists of explained survivors are still true of the repository's own katas.

The gate takes their word: a survivor passes all tests, so these few would cost it as much as all others.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dojo.author.score import no_longer_surviving, score
from dojo.catalog import load
from dojo.runner import run, warm

from .conftest import write

KATAS = load(Path(__file__).parents[2]).katas


@pytest.mark.parametrize("kata", KATAS, ids=lambda kata: kata.name)
def test_what_is_explained_still_survives(kata):
    warm()
    assert no_longer_surviving(kata, run(kata, kata.solution)) == []


def test_a_list_whose_word_is_taken_counts_only_where_its_line_still_stands(kata, finished):
    write(
        kata.mutants / "survivors.toml",
        '["comparison@16:22"]\nwas = "x"\nwhy = "y"\n\n'
        '["comparison@9:17"]\nwas = "if limit < 1:"\nwhy = "not so: a test notices it"\n',
    )
    taken = score(kata, finished.solution, recheck=False)
    assert [survivor.mutation.id for survivor in taken.explained] == ["comparison@9:17"]
    assert taken.stale == ("comparison@16:22",)
    assert no_longer_surviving(kata, finished.solution) == ["comparison@16:22", "comparison@9:17"]
