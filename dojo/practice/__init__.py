"""What the dojo remembers of one learner, under `.dojo/` in the repository, never in git."""

from __future__ import annotations

from dojo.practice.bench import HOME, PracticeError, keep, reset, write_atomically
from dojo.practice.further import Question, read_questions
from dojo.practice.hints import Hint, read_hints, text_sha256, unlocked
from dojo.practice.history import FILE, Event, History, history
from dojo.practice.progress import Progress, State, load, next_kata, progress_of, record_attempt, sha256, states, way_to

__all__ = [
    "FILE",
    "HOME",
    "Event",
    "Hint",
    "History",
    "PracticeError",
    "Progress",
    "Question",
    "State",
    "history",
    "keep",
    "load",
    "next_kata",
    "progress_of",
    "read_hints",
    "read_questions",
    "record_attempt",
    "reset",
    "sha256",
    "states",
    "text_sha256",
    "unlocked",
    "way_to",
    "write_atomically",
]
