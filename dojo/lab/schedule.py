"""Who goes next. Each step waits at a gate until the scheduler lets it pass.

A schedule is the sequence of actors picked, written as a string of their letters (``ABBA``). Beyond the given
prefix the policy is to let the same actor go on as long as it can, so that a run differs from the plain one
only where the prefix says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from dojo.lab.errors import LabError
from dojo.lab.faults import Fault
from dojo.lab.trace import MAIN, Actor, Step, independent

SleepSet = dict[tuple[str, int], Step]


@dataclass(frozen=True)
class Plan:
    """Everything that distinguishes one run of a test from another."""

    prefix: tuple[str, ...] = ()
    first: str | None = None
    """Who starts first in a race. It matters where callers share state in one process: what they do before their
    first step is behind no gate."""
    fault: Fault | None = None
    sleep_set: SleepSet | None = None
    """Steps that need not be tried first after the prefix (sleep sets, Godefroid 1996); None: no reduction."""


@dataclass(frozen=True)
class Choice:
    """One decision of a run, as the search needs it for backtracking."""

    enabled: dict[str, Step]
    picked: str
    previous: str
    sleep_set: SleepSet | None


@dataclass(slots=True)
class Scheduler:
    plan: Plan
    pending: dict[str, deque[Step]] = field(default_factory=dict)
    choices: list[Choice] = field(default_factory=list)
    racing: bool = False
    """Whether decisions count; the test's own steps before a race leave no choice."""
    pruned: bool = False
    """Whether the run continued only for its own sake: another run already covers what it shows."""
    _last: str = ""
    _sleep: SleepSet = field(init=False)

    def __post_init__(self) -> None:
        self._sleep = dict(self.plan.sleep_set or {})

    def submit(self, step: Step) -> None:
        self.pending.setdefault(step.actor.letter, deque()).append(step)

    def withdraw(self, step: Step) -> None:
        """Forget a step whose actor stopped waiting for it (a cancelled task)."""
        queue = self.pending.get(step.actor.letter)
        if queue is not None and step in queue:
            queue.remove(step)

    def silence(self, actor: Actor) -> None:
        """Drop whatever a dead actor still wanted to do."""
        self.pending.pop(actor.letter, None)

    def next_step(self) -> Step | None:
        """Pick and remove the step to be taken now; None if nobody waits at a gate."""
        enabled = {letter: queue[0] for letter, queue in self.pending.items() if queue}
        if not enabled:
            return None
        # When the test alone goes on, before or after a race, there is nothing to choose.
        alone = enabled.keys() == {MAIN}
        picked = self._choose(enabled) if self.racing and not alone else self._default(enabled)
        self._last = picked
        return self.pending[picked].popleft()

    def _default(self, enabled: Collection[str]) -> str:
        return self._last if self._last in enabled else min(enabled)

    def _choose(self, enabled: dict[str, Step]) -> str:
        position = len(self.choices)
        free = position >= len(self.plan.prefix)
        if free:
            awake = [a for a in sorted(enabled) if enabled[a].key not in self._sleep]
            if not awake:
                self.pruned, awake = True, sorted(enabled)
            picked = self._default(awake)
        else:
            picked = self.plan.prefix[position]
            if picked not in enabled:
                raise LabError(
                    f"schedule {''.join(self.plan.prefix)!r} does not fit this code: at step {position + 1} it wants "
                    f"{picked}, but only {', '.join(sorted(enabled))} can go on. "
                    "Run without --schedule to find a new one."
                )
        reducing = self.plan.sleep_set is not None
        self.choices.append(Choice(enabled, picked, self._last, dict(self._sleep) if free and reducing else None))
        if free and reducing:
            taken = enabled[picked]
            self._sleep = {k: s for k, s in self._sleep.items() if independent(s, taken)}
        return picked

    @property
    def schedule(self) -> str:
        start = f"{self.plan.first}>" if self.plan.first else ""
        return start + "".join(c.picked for c in self.choices)
