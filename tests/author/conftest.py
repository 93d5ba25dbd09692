"""A complete small kata, so that each way of not being done can be tried on a copy of it."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import pytest

from dojo.author.gate import Checked, check
from dojo.catalog import Kata, load
from dojo.runner import warm
from dojo.stubs import write_stub

PROJECT = Path(__file__).parents[2]

TESTS = '''
from ticker import Ticker


def test_counts(lab):
    """Rule 1. Each tick counts one."""
    ticker = Ticker(limit=3)
    with lab.no_error(expected="a tick within the limit", trap="off-by-one"):
        lab.expect("ticks", [ticker.tick(), ticker.tick(), ticker.tick()], [1, 2, 3], trap="off-by-one")


def test_stops_at_the_limit(lab):
    """Rule 2. Ticks beyond `limit` raise ValueError."""
    ticker = Ticker(limit=1)
    ticker.tick()
    with lab.raises(ValueError, when="the limit is used up", trap="no-limit"):
        ticker.tick()
    lab.expect("left", ticker.left, 0, trap="no-limit")


def test_limit_is_checked(lab):
    """Rule 3. A limit below one raises ValueError."""
    with lab.raises(ValueError, when="the limit is 0", trap="unchecked-limit"):
        Ticker(limit=0)
'''

SOLUTION = '''
"""Counts up to a limit."""


class Ticker:
    """Counts ticks, at most `limit` of them."""

    def __init__(self, limit: int) -> None:
        """Raises ValueError if `limit` is below one."""
        if limit < 1:
            raise ValueError("limit must be at least 1")
        self.limit = limit
        self.count = 0

    def tick(self) -> int:
        """The number of ticks so far. Raises ValueError beyond the limit."""
        if self.count >= self.limit:
            raise ValueError("no ticks left")
        self.count += 1
        return self.count

    @property
    def left(self) -> int:
        """Ticks left."""
        return self.limit - self.count
'''

README = """
# Ticker

## Rules

1. Each tick counts one.
2. Ticks beyond `limit` raise ValueError.
3. A limit below one raises ValueError.

## Traps

### off-by-one
### no-limit
### unchecked-limit
"""

HINTS = "# Hints\n" + "".join(f"\n## {n} Step\n\nText.\n" for n in range(1, 5))

_WRONG = {
    "starts_at_one": ("off-by-one", 1, "self.count = 0", "self.count = 1"),
    "counts_twice": ("off-by-one", 1, "self.count += 1", "self.count += 2"),
    "returns_before": ("off-by-one", 1, "return self.count\n", "return self.count - 1\n"),
    "never_counts": ("off-by-one", 1, "self.count += 1", "pass"),
    "no_limit": ("no-limit", 2, "self.count >= self.limit", "False"),
    "one_too_many": ("no-limit", 2, "self.count >= self.limit", "self.count > self.limit"),
    "unchecked": ("unchecked-limit", 3, "limit < 1", "False"),
    "zero_allowed": ("unchecked-limit", 3, "limit < 1", "limit < 0"),
}


def mutant_text(trap: str, rule: int, text: str) -> str:
    body = text.replace('"""Counts up to a limit."""', "")
    return f'"""Wrong.\n\nTrap: {trap}\nRule: {rule}\n"""\n{body}'


def alternative_text(text: str, breaks: str = "none") -> str:
    body = text.replace('"""Counts up to a limit."""', "")
    return f'"""Right. Design: another.\n\nBreaks: {breaks}\n"""\n{body}'


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.lstrip("\n"), encoding="utf-8")
    return path


@pytest.fixture(scope="session", autouse=True)
def _warm():
    warm()


@pytest.fixture
def kata(tmp_path) -> Kata:
    """A kata that is done."""
    return make_kata(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Checked:
    """What the check finds about a kata that is done."""
    [found] = check([make_kata(tmp_path_factory.mktemp("finished"))])
    return found


def make_kata(root: Path) -> Kata:
    write(
        root / "katas/syllabus.toml",
        textwrap.dedent(
            """
            [[kata]]
            track = "basics"
            name = "ticker"
            title = "Ticker"
            difficulty = 1
            minutes = 5
            needs = []
            """
        ),
    )
    write(root / "conftest.py", 'pytest_plugins = ["dojo.plugin"]\n')
    shutil.copy(PROJECT / "pyproject.toml", root)
    found = load(root).find("ticker")
    write(found.test_file, TESTS)
    write(found.solution, SOLUTION)
    write(found.readme, README)
    write(found.hints, HINTS)
    write_stub(found)
    for name, (trap, rule, old, new) in _WRONG.items():
        write(found.mutants / f"{name}.py", mutant_text(trap, rule, SOLUTION.replace(old, new)))
    write(
        found.alternatives / "from_list.py",
        alternative_text(SOLUTION.replace("self.count += 1", "self.count = self.count + 1")),
    )
    write(found.alternatives / "downwards.py", alternative_text(SOLUTION))
    return found
