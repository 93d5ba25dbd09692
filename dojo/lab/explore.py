"""Running a test again: once per schedule, once per fault.

The search replays prefixes with iterative preemption bounding (Musuvathi & Qadeer, "Iterative context
bounding", PLDI 2007): all schedules without a forced switch come first, then those with one, then two. So the
first failure found has the fewest switches, and of those the earliest, which is the one that a person understands.
"""

from __future__ import annotations

import gc
import inspect
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any, TypeVar, overload

from dojo.lab.errors import ForgottenAwait, LabError
from dojo.lab.faults import ALL_KINDS, Fault, check_kind, parse_fault
from dojo.lab.forgotten import forgotten_awaits, held_back
from dojo.lab.lab import Lab
from dojo.lab.loop import run_async
from dojo.lab.modules import Learner
from dojo.lab.schedule import Plan, SleepSet
from dojo.lab.servers import Backend
from dojo.lab.trace import MAIN, Step, independent
from dojo.lab.watchdog import watchdog
from dojo.lab.world import World

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Explore:
    """How far to search."""

    preemptions: int = 2
    """Forced switches in one schedule. Two find nearly every bug that two or three callers can have."""
    max_runs: int = 2000
    reduce: bool = False
    """Skip schedules that differ only in the order of independent steps: for proofs with a high bound."""


_LONG = 60
"""Steps; a run that never ends has thousands."""


@dataclass(frozen=True)
class Sweep:
    """Which faults, at every step of which actor."""

    kinds: tuple[str, ...] = ALL_KINDS
    actor: str = "A"


@dataclass
class Run:
    """One run of a test, finished."""

    plan: Plan
    lab: Lab
    error: BaseException | None = None
    forgotten: list[str] = field(default_factory=list)
    """Coroutines that nobody awaited, with the place where they were thrown away."""

    @property
    def world(self) -> World:
        return self.lab.world

    @property
    def token(self) -> str:
        """What ``--schedule`` takes to see this very run again; empty if there is only one."""
        schedule = self.world.scheduler.schedule
        if self.plan.sleep_set is None:  # after its prefix, and as far as it is of any use to read, it goes by itself
            start = len(schedule) - len(self.world.scheduler.choices)
            schedule = schedule[: start + max(len(self.plan.prefix), _LONG)]
        if self.plan.fault is None:
            return schedule
        return f"{self.plan.fault}/{schedule}" if self.plan.prefix else str(self.plan.fault)


@dataclass
class Session:
    """All runs of one test."""

    runs: int = 0
    failed: Run | None = None
    capped: bool = False
    """Whether runs were left out because of `max_runs`: then passing proves less than it says."""
    last: Run | None = field(default=None, repr=False)
    met: bool = False
    """Whether two callers have ever stood at once before steps of which the order matters."""


@dataclass(frozen=True)
class Experiment:
    """A test that can be run again and again."""

    test: Callable[..., Any]
    arguments: Mapping[str, Any]
    backend: Backend
    learner: Learner | None = None
    cpu_limit: float | None = None
    """User CPU seconds that one run may take; None for the usual limit."""

    def run(self, plan: Plan) -> Run:
        """Run once in a fresh world. Never raises for what the test or the learner's code does."""
        _collect()
        world = World(self.backend, plan)
        lab = Lab(world, self.learner)
        run = Run(plan, lab)
        parts = world.parts
        if self.learner is not None:
            world.learner_files.add(str(self.learner.path))
        forgotten = forgotten_awaits(world.learner_files, run.forgotten)
        try:
            with forgotten, world.installed(), watchdog(world.learner_files, world.close, self.cpu_limit):
                if self.learner is None:
                    self._body(lab)
                else:
                    with self.learner.fresh():
                        self._body(lab)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the report decides what it means
            run.error = error
            run.forgotten += held_back(error.__traceback__, world.learner_files)
        # Whoever has caught it: without it, what came of it would be told as if it were the tested code's own doing.
        run.error = world.objection or run.error or lab.spoken
        if run.error is None and not all(map(is_, world.parts, parts)):
            run.error = LabError("something has replaced a part of this test's world, which proves nothing now")
        if run.error is None and run.forgotten:
            run.error = ForgottenAwait("; ".join(run.forgotten))
        return run

    def _body(self, lab: Lab) -> None:
        result = self.test(lab=lab, **self.arguments)
        if inspect.iscoroutine(result):
            run_async(lab.world, result)


_RUNS = itertools.count(1)
_COLLECT_EVERY = 32
_MANY_THREADS = 16


def _collect() -> None:
    """Let go of what earlier runs have left in cycles, now and then.

    The tested module itself is one, and it may hold a table, files, an event loop or a pool of threads: a run has a
    copy of them all, and a graded process may have 64 threads, 256 files and 4 GB. How often is a matter of counting,
    so that it is the same each time.
    """
    if next(_RUNS) % _COLLECT_EVERY == 0 or threading.active_count() > _MANY_THREADS:
        gc.collect()


@overload
def explore(test: F) -> F: ...
@overload
def explore(*, preemptions: int = 2, max_runs: int = 2000, reduce: bool = False) -> Callable[[F], F]: ...
def explore(test: F | None = None, **options: Any) -> F | Callable[[F], F]:
    """Run the test once per schedule of its racing actors."""

    def mark(function: F) -> F:
        function.__dojo_explore__ = Explore(**options)  # type: ignore[attr-defined]
        return function

    return mark if test is None else mark(test)


@overload
def sweep(test: F) -> F: ...
@overload
def sweep(*, kinds: tuple[str, ...] = ALL_KINDS, actor: str = "A") -> Callable[[F], F]: ...
def sweep(test: F | None = None, **options: Any) -> F | Callable[[F], F]:
    """Run the test cleanly once, and then once per fault at each step of one actor."""
    for kind in options.get("kinds", ()):
        check_kind(kind)

    def mark(function: F) -> F:
        function.__dojo_sweep__ = Sweep(**options)  # type: ignore[attr-defined]
        return function

    return mark if test is None else mark(test)


def replayable(test: Callable[..., Any]) -> bool:
    """Whether a test has several runs, of which one can be replayed."""
    return hasattr(test, "__dojo_explore__") or hasattr(test, "__dojo_sweep__")


def conduct(experiment: Experiment, replay: str | None = None) -> Session:
    """Run a test as its decorators say, up to the first failing run; or replay one run."""
    searching: Explore | None = getattr(experiment.test, "__dojo_explore__", None)
    sweeping: Sweep | None = getattr(experiment.test, "__dojo_sweep__", None)
    session = Session()
    if searching is None and sweeping is None:
        _note(session, experiment.run(Plan()))
        return session
    if replay is not None:
        _note(session, experiment.run(parse_plan(replay)))
        return session
    collecting = gc.isenabled()
    gc.disable()  # worth a tenth of the throughput; `_collect` does what is needed
    try:
        for fault in _faults(session, experiment, sweeping):
            if searching is None:
                _note(session, experiment.run(Plan(fault=fault)))
            else:
                _search(session, experiment, searching, fault)
                if sweeping is None:
                    _demand_a_meeting(session)
            if session.failed or session.capped:
                break
    finally:
        if collecting:
            gc.enable()
    return session


def parse_plan(text: str) -> Plan:
    """Read what ``--schedule`` takes: ``ABBA``, ``B>BA``, ``A2:lost-reply`` or ``A2:lost-reply/ABBA``."""
    head, _, rest = text.partition("/")
    fault = parse_fault(head)
    first, starts, picks = (rest if fault else head).rpartition(">")
    return Plan(prefix=tuple(picks), first=first if starts else None, fault=fault)


def _note(session: Session, run: Run) -> None:
    session.runs += 1
    session.last = run
    session.met = session.met or any(
        _clash([step for letter, step in choice.enabled.items() if letter != MAIN])
        for choice in run.world.scheduler.choices
    )
    if run.error is not None:
        session.failed = run


def _demand_a_meeting(session: Session) -> None:
    """Who does to the same data what matters, and is never there at once, shows nothing about the other case."""
    run = session.last
    if run is None or session.failed or session.met or not run.world.processes or len(run.world.actors) < 2:
        return
    steps = [step for step in run.world.trace.entries if step.index >= 0 and step.actor is not run.world.main]
    if steps and not _clash(steps):
        return
    run.error = LabError(
        "the callers are processes of their own that work on the same data, and never two of them at once: what they "
        "do before (a random sleep?) lets them miss each other here, or something that only this process has keeps "
        "them apart (a lock in a library, on the event loop, in a file; somebody else who does it for them)"
    )
    session.failed = run


def _clash(steps: Iterable[Step]) -> bool:
    """Whether the order of two callers' steps matters."""
    return any(
        one.actor is not other.actor and not independent(one, other) for one, other in itertools.combinations(steps, 2)
    )


def _faults(session: Session, experiment: Experiment, sweeping: Sweep | None) -> Iterator[Fault | None]:
    yield None
    if sweeping is None or session.last is None:
        return
    # How many steps there are is known from the clean run that the caller has just made.
    actors = {a.letter: a for a in session.last.world.actors}
    if sweeping.actor not in actors:
        raise LabError(f"@sweep: no actor {sweeping.actor} in this test; start one with lab.attempt or lab.race")
    for step in range(actors[sweeping.actor].steps):
        for kind in sweeping.kinds:
            yield Fault(sweeping.actor, step, kind)


def _search(session: Session, experiment: Experiment, options: Explore, fault: Fault | None) -> None:
    _search_from(None, options.preemptions, session, experiment, options, fault)
    actors = session.last.world.actors if session.last is not None else []
    for actor in actors[1:]:
        if session.failed or session.capped:
            return
        # Another caller's start differs from its going first by local state alone: one forced switch is plenty.
        _search_from(actor.letter, min(1, options.preemptions), session, experiment, options, fault)


def _search_from(
    first: str | None, preemptions: int, session: Session, experiment: Experiment, options: Explore, fault: Fault | None
) -> None:
    waiting: dict[int, deque[tuple[tuple[str, ...], SleepSet]]] = {0: deque([((), {})])}
    for bound in range(preemptions + 1):
        work = waiting.pop(bound, deque())
        while work:
            if session.runs >= options.max_runs:
                session.capped = True
                return
            prefix, sleeping = work.popleft()
            run = experiment.run(Plan(prefix, first, fault, sleeping if options.reduce else None))
            _note(session, run)
            if run.error is not None:
                return
            for cost, branch in _branches(run, len(prefix), preemptions, options.reduce):
                (work if cost <= bound else waiting.setdefault(cost, deque())).append(branch)


def _branches(
    run: Run, fixed: int, preemptions: int, reduce: bool
) -> Iterator[tuple[int, tuple[tuple[str, ...], SleepSet]]]:
    """The prefixes that leave this run's path after its own prefix, each with its number of forced switches."""
    scheduler = run.world.scheduler
    picks = [choice.picked for choice in scheduler.choices]
    switches = 0
    for position, choice in enumerate(scheduler.choices):
        forced = choice.previous in choice.enabled
        asleep = choice.sleep_set or {}
        redundant = scheduler.pruned and choice.enabled[choice.picked].key in asleep
        if position >= fixed and not redundant:
            tried = {choice.enabled[choice.picked].key: choice.enabled[choice.picked]}
            for other in sorted(choice.enabled):
                step = choice.enabled[other]
                if other == choice.picked or step.key in asleep:
                    continue
                cost = switches + (forced and other != choice.previous)
                if cost <= preemptions:
                    sleep_set = {k: s for k, s in {**asleep, **tried}.items() if independent(s, step)} if reduce else {}
                    yield cost, ((*picks[:position], other), sleep_set)
                    tried[step.key] = step
        switches += forced and choice.picked != choice.previous
