"""`dojo grade --init`: a grading.toml to start from, which says what every default is and changes none."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

from dojo.grader.config import Config, Limits
from dojo.grader.model import GraderError

_UNITS = {
    "wall_seconds": "of one process that runs tests",
    "kata_seconds": "of all processes together that one kata of one submission needs",
    "cpu_seconds": "of one process, as the kernel counts",
    "memory_mb": "address space of one process; threads reserve much and use little",
    "output_kb": "printed by one process; the rest is cut off",
    "processes": "processes and threads at once",
    "disk_mb": "of files that a submission may write",
}


def initial_text() -> str:
    """The file's text. Read by `Config.read`, it equals having no file."""
    defaults = Limits()
    limits = "\n".join(
        f"{f'{one.name} = {getattr(defaults, one.name):g}':<22}# {_UNITS[one.name]}" for one in fields(Limits)
    )
    return _TEXT.format(title=Config().title, feedback=Config().feedback, limits=limits)


def write_initial(path: Path) -> None:
    """Write the file; its directory must be there. Raises GraderError if `path` exists or cannot be written."""
    try:
        # "x": whatever stands there may be somebody's course, and is never overwritten
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(initial_text())
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise GraderError(f"{path} is there already. Edit it, or move it away and try again.") from None
    except OSError as error:
        raise GraderError(f"cannot write {path}: {error.strerror}. Name a place that can be written.") from error


_TEXT = """\
# How `dojo grade` grades. Every line here is the default or a comment, so this file changes nothing yet.
# Points are computed when the book is written: after a change here, nothing has to be run again
# except for other limits and other hidden tests.

title = "{title}"

# What students are shown of a failing test: "full" is the whole message with its timeline, "rule" the rule's
# sentence, "none" only that it failed. You always see everything.
feedback = "{feedback}"

# Your own tests, which students never see: a directory, relative to this file, with test_<kata>.py files.
# hidden = "hidden"

[limits]
# Of the processes that run a submission. Honest code does not come near them.
{limits}

[points]
# A test is worth one point times its weight. Or say what each kata is worth in all, and let its tests share it:
# per_kata = 10
# rate_limiter = 20

# Weights, by a rule's number, a test's name, or a parametrised test's name without its brackets. A weight is that of
# each test which its key names. 1 if nothing is said, and 0 for a test that is shown and not counted.
# [weights.rate_limiter]
# 9 = 3
# test_steady_traffic_is_never_punished = 2
"""
