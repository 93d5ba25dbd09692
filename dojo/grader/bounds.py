"""What a submission is held to: what it may use up, as `grading.toml` says, and what it must not see."""

from __future__ import annotations

from pathlib import Path

from dojo.catalog import HOME
from dojo.grader import config
from dojo.grader.cell import Setting
from dojo.grader.confine.cage import Bars
from dojo.runner import Limits


def secret_of(root: Path) -> tuple[Path, ...]:
    """What of the repository at `root` no submission has any business in."""
    found = (root / part for part in ("solutions", "tests", ".git", HOME))
    return tuple(path.resolve() for path in found if path.exists())


def setting_of(tree: Path, hidden: tuple[Path, ...], asked: config.Limits) -> Setting:
    """Of a cell over the trusted `tree` in which the directories `hidden` must not be seen; its tier is still none."""
    limits = Limits(
        wall_seconds=asked.wall_seconds,
        cpu_seconds=asked.cpu_seconds,
        # Where files may not grow, printing has to be noticed before the kernel makes an error of it.
        output_bytes=min(asked.output_kb << 10, asked.disk_mb << 19),
        memory_bytes=asked.memory_mb << 20,
    )
    bars = Bars("none", processes=asked.processes, disk_bytes=asked.disk_mb << 20)
    return Setting(str(tree), tuple(str(path) for path in hidden if path.is_dir()), "", bars, limits)
