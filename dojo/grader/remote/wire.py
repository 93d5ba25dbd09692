"""What the asking machine and the workers tell each other: JSON, and nothing else is accepted."""

from __future__ import annotations

import base64
import functools
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from dojo.grader.config import Limits
from dojo.grader.confine.cage import Tier
from dojo.grader.model import Verdict

TASK = "dojo.grade"
"""The Celery task's name. Its one argument is an `Assignment` as JSON, its id that one's."""

Kind = Literal["begun", "graded", "refused", "dead"]
"""begun: it is in work. graded: here is the verdict. refused: this worker cannot grade it, another one might.
dead: it has ended those who tried, and nobody should try again."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One file to grade, and what a worker must have for it."""

    key: str
    """Under which the journal of the asking machine keeps the verdict."""
    round: str
    """Is repeated in the replies; so a regrade takes no verdict from before it."""
    kata: str
    source: bytes
    digests: tuple[str, ...]
    """Of the kata's files of tests, the instructor's own last."""
    lab: str
    """As `trusted.lab_version`."""
    limits: Limits
    reply_to: str
    """The queue that the replies go to."""
    hidden: bytes | None = None
    """The text of the instructor's own tests: they are small, and so a worker needs no files of the course."""

    @property
    def id(self) -> str:
        """The task's: two who have the same file graded have a task each, and so has a regrade."""
        return f"{self.key}:{self.round}:{self.reply_to}"

    def to_json(self) -> dict[str, Any]:
        texts = {"source": self.source, "hidden": self.hidden}
        return {
            **asdict(self),
            **{name: None if text is None else base64.b64encode(text).decode() for name, text in texts.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Assignment:
        """Raises ValueError, TypeError or KeyError if it is none."""
        source = base64.b64decode(data["source"], validate=True)
        hidden = None if data["hidden"] is None else base64.b64decode(data["hidden"], validate=True)
        limits, digests = Limits(**data["limits"]), tuple(data["digests"])
        return _checked(cls(**{**data, "source": source, "hidden": hidden, "limits": limits, "digests": digests}))


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of an assignment."""

    kind: Kind
    key: str
    round: str
    worker: str
    """Machine and process, for people."""
    why: str = ""
    """For refused and dead."""
    tier: Tier = "none"
    """How the submission was confined; for graded, as what follows."""
    not_enforced: tuple[str, ...] = ()
    verdict: Verdict | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reply:
        """Raises ValueError, TypeError or KeyError if it is none."""
        verdict = Verdict.from_json(data["verdict"]) if data["verdict"] is not None else None
        if (verdict is not None) != (data["kind"] == "graded"):
            raise ValueError("a verdict belongs to what was graded")
        return _checked(cls(**{**data, "not_enforced": tuple(data["not_enforced"]), "verdict": verdict}))


T = TypeVar("T")


def _checked(told: T) -> T:
    """`told`, if its fields and all in them are of their types: else it would fail when the book is written, each time.

    Raises ValueError.
    """
    for name, kind in _kinds(type(told)).items():
        if not _fits(getattr(told, name), kind):
            raise ValueError(f"{type(told).__name__}.{name} is {getattr(told, name)!r:.40}, as of another version")
    return told


_kinds: Any = functools.cache(get_type_hints)


def _fits(value: object, kind: Any) -> bool:
    inner = get_args(kind)
    if get_origin(kind) is Literal:
        return value in inner
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_fits(part, inner[0]) for part in value)
    if inner:  # one or the other
        return any(_fits(value, each) for each in inner)
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    if is_dataclass(kind):
        return type(value) is kind and all(_fits(getattr(value, name), its) for name, its in _kinds(kind).items())
    return type(value) is kind


TIERS: tuple[Tier, ...] = ("namespaces", "process", "none")
"""The tightest first."""


def weakest(tiers: Collection[str]) -> Tier:
    """What a book may claim whose submissions were confined in these ways; of what is not known, nothing."""
    return next((tier for tier in TIERS if tiers and set(tiers) <= set(TIERS[: TIERS.index(tier) + 1])), "none")
