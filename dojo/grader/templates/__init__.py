"""Files that `dojo export` writes out: a class repository's own tests and notes, and scripts for other graders."""

from __future__ import annotations

from pathlib import Path


def template(name: str) -> str:
    """The text of one of the files beside this one."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
