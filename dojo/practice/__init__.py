"""What the dojo remembers of one learner, under `.dojo/` in the repository: plain files, never in git."""

from __future__ import annotations

from dojo.practice.bench import HOME, PracticeError, reset, write_atomically
from dojo.practice.hints import Hint, read_hints
from dojo.practice.progress import Progress, State, load, next_kata, record_green, record_hints, states

__all__ = [
    "HOME",
    "Hint",
    "PracticeError",
    "Progress",
    "State",
    "load",
    "next_kata",
    "read_hints",
    "record_green",
    "record_hints",
    "reset",
    "states",
    "write_atomically",
]
