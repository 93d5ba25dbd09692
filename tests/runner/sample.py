"""A small repository of the real shape, for tests that need katas of their own."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

from dojo.catalog import Catalog, Kata, load

PROJECT = Path(__file__).parents[2]
KATA = "tally"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def make_repository(root: Path, *, tests: str, solution: str) -> Kata:
    """One kata called `tally`, with these tests and this solution."""
    write(
        root / "katas/syllabus.toml",
        f"""
        [[kata]]
        track = "basics"
        name = "{KATA}"
        title = "Tally"
        difficulty = 1
        minutes = 5
        needs = []
        """,
    )
    write(root / "conftest.py", 'pytest_plugins = ["dojo.plugin"]\n')
    shutil.copy(PROJECT / "pyproject.toml", root)
    write(root / f"katas/basics/{KATA}/test_{KATA}.py", tests)
    write(root / f"solutions/basics/{KATA}.py", solution)
    catalog: Catalog = load(root)
    return catalog.find(KATA)


def implementation(root: Path, text: str, name: str = "attempt") -> Path:
    """A file that claims to implement the kata."""
    return write(root / "attempts" / name / f"{KATA}.py", text)
