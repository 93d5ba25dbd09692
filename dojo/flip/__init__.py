"""The kata turned round: the learner writes the tests, and the repository's solutions and mutants judge them."""

from __future__ import annotations

from dojo.flip.reveal import Reveal, reveal, survivors_seen
from dojo.flip.scaffold import scaffold, start
from dojo.flip.score import Flip, Rejection, Right, Verdict, record, score
from dojo.flip.unfit import UnfitTests

__all__ = [
    "Flip",
    "Rejection",
    "Reveal",
    "Right",
    "UnfitTests",
    "Verdict",
    "record",
    "reveal",
    "scaffold",
    "score",
    "start",
    "survivors_seen",
]
