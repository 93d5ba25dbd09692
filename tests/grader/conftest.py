"""One bench for all tests of the grader that judge something: tests and stubs in a tree, and cells beside it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dojo.catalog import Catalog, load
from dojo.grader import trusted
from dojo.grader.cell import Setting
from dojo.grader.confine.cage import Bars
from dojo.grader.crew import Crew, Patience, judge
from dojo.grader.guard import Checked, Confinement, check, confine
from dojo.grader.model import Verdict
from dojo.runner import Limits

LIMITS = Limits(wall_seconds=60.0, cpu_seconds=20, output_bytes=8 << 20, memory_bytes=1 << 30)
PATIENCE = Patience(kata_seconds=60.0, most_runs=10)
SHORT_LIMITS = replace(LIMITS, wall_seconds=8.0, cpu_seconds=2)
SHORT_PATIENCE = replace(PATIENCE, kata_seconds=6.0)
"""For what never ends. For anything else too short: a slow machine takes seconds where another takes tenths."""


@dataclass(frozen=True)
class JudgesBench:
    """What judges one file after the other."""

    catalog: Catalog
    setting: Setting
    confinement: Confinement
    crew: Crew
    checked: Checked
    patience: Patience

    def judge(self, kata: str, source: bytes) -> Verdict:
        return self.all([(kata, source)])[0]

    def all(self, asked: list[tuple[str, bytes]], done: Callable[[int], None] = lambda _: None) -> list[Verdict]:
        """The verdicts on so many files, side by side."""
        found: dict[int, Verdict] = {}

        def work(cell, number):
            kata, source = asked[number]
            return judge(cell, self.checked.exams[kata], source, self.patience, random.Random())

        for result in self.crew.each(work, range(len(asked))):
            if result.error is not None:
                raise result.error
            found[result.item] = result.result
            done(result.item)
        return [found[number] for number in range(len(asked))]


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JudgesBench]:
    catalog = load(Path(__file__).parents[2])
    workspace = tmp_path_factory.mktemp("trusted")
    tree = workspace / "tree"
    tree.mkdir()
    files = trusted.build(tree, catalog, catalog.katas)
    hidden = [catalog.root, catalog.root / "solutions", catalog.root / "tests"]
    bars = Bars("none", processes=128, disk_bytes=16 << 20)
    setting = Setting(str(tree), tuple(map(str, hidden)), "", bars, LIMITS)
    confinement = confine(setting, None, files[0], hidden[1:], print)
    setting = replace(setting, bars=confinement.bars)
    with Crew(setting, 4) as crew:
        checked = check(crew, tree, catalog.katas, files, PATIENCE)
        yield JudgesBench(catalog, setting, confinement, crew, checked, PATIENCE)


@pytest.fixture(scope="session")
def hurried(bench: JudgesBench) -> Iterator[JudgesBench]:
    """The same bench for what never ends, so that nobody waits for it."""
    setting = replace(bench.setting, limits=SHORT_LIMITS)
    with Crew(setting, 4) as crew:
        yield replace(bench, setting=setting, crew=crew, patience=SHORT_PATIENCE)
