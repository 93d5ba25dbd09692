"""What can happen to one step of one actor.

=================  =====================================================================
``died-before``    the process dies before the request leaves
``died-after``     the request is applied, then the process dies
``lost-request``   ConnectionError; the request was not applied
``lost-reply``     ConnectionError; the request **was** applied ("commit unknown result")
``stall:SECONDS``  the process is paused before sending (garbage collection, a frozen VM)
=================  =====================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dojo.lab.errors import LabError

CRASHES = ("died-before", "died-after")
LOSSES = ("lost-request", "lost-reply")
ALL_KINDS = CRASHES + LOSSES


@dataclass(frozen=True)
class Fault:
    """One fault at one step of one actor; written ``A2:lost-reply`` (steps count from 1)."""

    actor: str
    step: int
    kind: str

    def __str__(self) -> str:
        return f"{self.actor}{self.step + 1}:{self.kind}"

    @property
    def stall_seconds(self) -> float | None:
        return float(self.kind.partition(":")[2]) if self.kind.startswith("stall:") else None

    def story(self, title: str) -> str:
        """The fault in a sentence, for the report; `title` is the actor's, as the timeline has it."""
        what = {
            "died-before": "dies before sending step {n}",
            "died-after": "dies right after step {n} is applied",
            "lost-request": "loses the request of step {n} (not applied)",
            "lost-reply": "loses the reply of step {n} (applied!)",
        }.get(self.kind, f"is paused for {self.kind.partition(':')[2]} s before step {{n}}")
        who = self.actor if title.split()[-1:] == [self.actor] else f"{self.actor} ({title})"
        return f"{who} {what.format(n=self.step + 1)}"


def parse_fault(text: str) -> Fault | None:
    """Read ``A2:lost-reply``; None if `text` is not a fault (but a schedule)."""
    match = re.fullmatch(r"([A-Za-z])(\d+):([a-z-]+(?::[\d.]+)?)", text)
    if match is None:
        return None
    return Fault(match[1], int(match[2]) - 1, check_kind(match[3]))


def check_kind(kind: str) -> str:
    if kind in ALL_KINDS or re.fullmatch(r"stall:\d+(\.\d+)?", kind):
        return kind
    raise LabError(f"unknown fault {kind!r}; known: {', '.join(ALL_KINDS)}, stall:SECONDS")
