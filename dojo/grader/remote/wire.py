"""What the asking machine and the workers tell each other: JSON, and nothing else is accepted."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dojo.grader.config import Limits
from dojo.grader.confine.cage import Tier
from dojo.grader.model import Verdict

TASK = "dojo.grade"
"""The Celery task's name. Its id is the key of what is asked, its one argument an `Assignment` as JSON."""

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
        return cls(**{**data, "source": source, "hidden": hidden, "limits": limits, "digests": digests})


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
        if data["kind"] not in ("begun", "graded", "refused", "dead") or data["tier"] not in TIERS:
            raise ValueError(f"a reply of another version: {data['kind']!r:.40}")
        verdict = Verdict.from_json(data["verdict"]) if data["verdict"] is not None else None
        if (verdict is not None) != (data["kind"] == "graded"):
            raise ValueError("a verdict belongs to what was graded")
        return cls(**{**data, "not_enforced": tuple(data["not_enforced"]), "verdict": verdict})


TIERS: tuple[Tier, ...] = ("namespaces", "process", "none")
"""The tightest first."""


def weakest(tiers: Collection[str]) -> Tier:
    """What a book may claim whose submissions were confined in these ways; of what is not known, nothing."""
    return next((tier for tier in TIERS if tiers and set(tiers) <= set(TIERS[: TIERS.index(tier) + 1])), "none")
