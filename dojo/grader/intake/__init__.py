"""From a folder of what students handed in to submissions, whatever exported it and whatever is in it.

`submissions` yields one student at a time; `look` says first who there is, and what was skipped.

Everything in the folder is untrusted. Links are not followed, nothing is extracted to the disk, nothing that blocks
is waited for, what is read is bounded, and nothing raises for what a student did: it is said in the submission.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dojo.catalog import Kata
from dojo.grader.intake import entries, reading
from dojo.grader.intake.entries import Student
from dojo.grader.intake.opening import Wanted
from dojo.grader.intake.roster import Roster, Row
from dojo.grader.intake.shelf import Shelf, shelf
from dojo.grader.model import Submission

__all__ = ["Found", "Roster", "Row", "Student", "look", "submissions"]


@dataclass(frozen=True)
class Found:
    """Who stands in a folder. Iterating over it reads what they handed in, one at a time."""

    students: tuple[Student, ...]
    """In the order of their names; those of the roster who handed in nothing come last."""
    skipped: tuple[tuple[str, str], ...]
    """What is nobody's, by its name, with the reason: hidden entries, a README, a list of grades."""
    _shelf: Shelf
    _wanted: Wanted
    _whole: bool = False

    def __len__(self) -> int:
        return len(self.students)

    def __iter__(self) -> Iterator[Submission]:
        with closing(self._shelf):
            for number, student in enumerate(self.students):
                yield reading.read(student, self._shelf, self._wanted, self._whole and number == 0)


def look(folder: Path, katas: Sequence[Kata], roster: Roster | None = None) -> Found:
    """Who stands in `folder`: a directory, or an archive as a platform's "download all" makes it, that holds one
    directory or archive a student; or, if it is one student's work itself, that student.

    `katas` are those that will be graded, all of one repository.
    Raises GraderError if there is no such folder, or nobody in it.
    """
    wanted = Wanted(tuple(katas))
    place = shelf(folder, wanted)
    if entries.is_one(place, wanted):
        return Found((entries.the_one(folder, roster),), (), place, wanted, True)
    place = entries.unwrapped(place, wanted)
    found, skipped = entries.students(place, wanted, roster)
    if not any(student.parts for student in found):
        raise entries.nobody(folder, skipped)
    return Found(found, skipped, place, wanted)


def submissions(folder: Path, katas: Sequence[Kata], roster: Roster | None = None) -> Iterator[Submission]:
    """What `look` finds, read. Raises GraderError at once, not with the first student."""
    return iter(look(folder, katas, roster))
