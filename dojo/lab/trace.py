"""What happened in a run: one list of steps, from which the timeline is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Access = Literal["r", "w"]
Touches = Mapping[bytes, Access] | None
"""Which keys a step reads or writes; None means that it may touch anything."""

NO_REPLY = object()


@dataclass(eq=False)
class Actor:
    """Somebody who acts: a server, a worker, a caller. To the world outside, one operating-system process."""

    letter: str
    """Names the actor in a schedule string; "M" is the test itself."""
    title: str
    dead: bool = False
    steps: int = 0

    def __repr__(self) -> str:
        return f"<{self.title}>"


@dataclass(eq=False)
class Step:
    """One round trip, or one atomic step of a fake."""

    actor: Actor
    index: int
    """The actor's own count of steps, from 0."""
    text: str
    touches: Touches
    resume: Callable[[], None]
    """Lets the actor go on; called by the scheduler."""
    time: float = 0.0
    reply: Any = NO_REPLY
    note: str = ""

    @property
    def key(self) -> tuple[str, int]:
        return (self.actor.letter, self.index)


def independent(a: Step, b: Step) -> bool:
    """Whether the order of two steps of different actors can make no difference."""
    if a.actor is b.actor or a.touches is None or b.touches is None:
        return False
    return all(a.touches[k] == "r" and b.touches[k] == "r" for k in a.touches.keys() & b.touches.keys())


@dataclass(slots=True)
class Trace:
    """Steps and notes in the order in which they happened."""

    entries: list[Step] = field(default_factory=list)

    def note(self, actor: Actor, time: float, text: str) -> None:
        self.entries.append(Step(actor, -1, text, None, lambda: None, time))

    @property
    def received(self) -> int:
        """How many bytes of data the replies so far have carried; a number counts as its digits."""
        return sum(_size(step.reply) for step in self.entries if step.reply is not NO_REPLY)


def _size(reply: Any) -> int:
    if isinstance(reply, Mapping):
        return sum(_size(key) + _size(value) for key, value in reply.items())
    if isinstance(reply, (list, tuple, set, frozenset)):
        return sum(map(_size, reply))
    if reply is None:
        return 0
    return len(reply) if isinstance(reply, (bytes, str)) else len(str(reply))


MAIN = "M"
"""The test itself."""

LETTERS = "ABCDEFGHIJKLNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""One character an actor, so that a schedule is a plain string."""
