"""What the grader's parts tell each other: frozen values that survive JSON.

A `Submission` is what a student handed in, a `Verdict` what the tests said about one kata of it, and a `Report` is
the whole book with points. Points are computed when the book is written, so other weights need no new run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

TestStatus = Literal["passed", "failed", "error", "timed-out"]
"""passed: there is an explicit pass, and nothing speaks against it. failed: the test rejected the code.
error: there is no verdict, because the process ended in it, it was skipped, or the file cannot be imported.
timed-out: the process was ended in it."""

KataStatus = Literal["passed", "failed", "error", "timed-out", "missing", "refused", "ungraded"]
"""passed: every test of the inventory passed. failed: at least one did not. error and timed-out: as for a test,
and no test at all passed or failed. missing: nothing was handed in. refused: what was handed in is not a file
that can be graded. ungraded: the grader itself could not do it; never the student's fault, and never 0 points."""


class GraderError(Exception):
    """Grading cannot begin or go on; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one student handed in. Everything in it is untrusted."""

    name: str
    """The student's name in the book; unique in it."""
    origin: str
    """The directory, archive or file, relative to the folder of submissions, for people."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """The text of the file for each kata that was handed in, by the kata's name."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why what was handed in for a kata cannot be graded, by the kata's name."""
    trouble: str = ""
    """Why nothing of it could be read, if so: an unsafe archive, for instance."""
    notes: tuple[str, ...] = ()
    """What else is worth knowing: own copies of tests that differ, a conftest.py that was ignored."""
    roster_id: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """One test that every submission is owed, as the supervisor collected it before it saw any."""

    name: str
    """As in the node id, after the file: `test_x`, `test_x[3]`, `TestGroup::test_x`."""
    rule: int | None
    text: str
    """The rule's sentence."""
    hidden: bool = False


Inventory = Mapping[str, tuple[Expected, ...]]
"""By a kata's name, its tests in teaching order, the instructor's own after the repository's: the denominator."""


@dataclass(frozen=True, slots=True)
class TestVerdict:
    """One test of the inventory."""

    __test__ = False

    name: str
    rule: int | None
    text: str
    """The rule's sentence."""
    status: TestStatus
    message: str = ""
    """What the student would see, in full: untrusted text."""
    trap: str | None = None
    hidden: bool = False
    """One of the instructor's own tests, whose name and message students do not see."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about one kata of one submission."""

    kata: str
    status: KataStatus
    message: str = ""
    """One or two lines that help an honest student; empty if everything passed."""
    tests: tuple[TestVerdict, ...] = ()
    """The whole inventory, in teaching order, whatever became of the run; empty if missing, refused or ungraded
    before there was one."""
    flags: tuple[str, ...] = ()
    """What a person should look at. A flag costs no points by itself."""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `from_json` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        tests = tuple(TestVerdict(**test) for test in data["tests"])
        return cls(**{**data, "tests": tests, "flags": tuple(data["flags"])})


@dataclass(frozen=True, slots=True)
class TestGrade:
    """A test with its points."""

    __test__ = False

    test: TestVerdict
    points: float
    max: float


@dataclass(frozen=True, slots=True)
class KataGrade:
    """A kata with its points."""

    verdict: Verdict
    points: float
    max: float
    tests: tuple[TestGrade, ...]


@dataclass(frozen=True, slots=True)
class StudentGrade:
    """One row of the book."""

    name: str
    roster_id: str
    origin: str
    points: float
    max: float
    flags: tuple[str, ...]
    """Those of all katas, each with its kata's name in front, and the submission's own."""
    notes: tuple[str, ...]
    katas: tuple[KataGrade, ...]
    """In teaching order; the same katas for each student."""


@dataclass(frozen=True, slots=True)
class Report:
    """The book."""

    title: str
    tier: str
    """How submissions were confined: namespaces, process or none."""
    not_enforced: tuple[str, ...]
    """What that tier could not prevent on this machine."""
    katas: tuple[str, ...]
    students: tuple[StudentGrade, ...]
    feedback: Literal["full", "rule", "none"] = "full"
    """What students are shown of a failing test: all of it, the rule's sentence, or its status alone."""
