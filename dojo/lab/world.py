"""One world: everything that varies from run to run, so that a test can be run again in a fresh one."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import contextvars
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import redis.asyncio

from dojo.lab import threads
from dojo.lab.clock import Clock
from dojo.lab.entropy import repeatable
from dojo.lab.errors import LabError, NeverFinishes, ProcessDied
from dojo.lab.schedule import Plan, Scheduler
from dojo.lab.servers import Backend, Server
from dojo.lab.tasks import StartedTasks
from dojo.lab.trace import LETTERS, MAIN, Actor, Step, Touches, Trace

if TYPE_CHECKING:
    from dojo.lab.loop import VirtualLoop

T = TypeVar("T")
Lost = Callable[[str], Exception]
"""Builds the exception that a client raises when its connection breaks."""

MAX_STEPS = 20_000
"""Gated steps a run may take; a retry loop that never wins ends here."""

_ACTOR: contextvars.ContextVar[str | None] = contextvars.ContextVar("dojo_actor", default=None)
"""The letter of who acts, for callbacks of the loop. Tasks and threads are remembered by themselves: whoever runs in a
context can change it, or start a task in an empty one, and would act in nobody's name."""


@dataclass
class Wire:
    """Whether commands cross a real socket, and how many answers are awaited."""

    remote: bool
    in_flight: int = 0


class World:
    """Clock, server, actors, schedule and trace of one run."""

    __slots__ = (  # as with the lab: nobody can replace a gate of one world
        "_closers",
        "_deaths",
        "_groups",
        "_home",
        "_tasks",
        "_threads",
        "actors",
        "backend",
        "background_errors",
        "clock",
        "closed",
        "fault_hit",
        "learner_files",
        "loop",
        "main",
        "objection",
        "plan",
        "pools",
        "processes",
        "scheduler",
        "server",
        "started_tasks",
        "steps",
        "trace",
        "turns",
        "wire",
    )

    def __init__(self, backend: Backend, plan: Plan | None = None) -> None:
        self.plan = plan or Plan()
        self.clock = Clock()
        self.scheduler = Scheduler(self.plan)
        self.trace = Trace()
        self.main = Actor(MAIN, "caller")
        self.actors: list[Actor] = []
        self.wire = Wire(backend.remote)
        self.backend = backend
        self.server = Server(backend, self.clock)
        self.loop: VirtualLoop | None = None
        self._home = _thread.get_ident()
        self.closed = False
        self.objection: LabError | None = None
        """Why nothing that this run shows says anything, if the tested code did what no scheduler can follow."""
        self.fault_hit = False
        self.background_errors: list[dict[str, Any]] = []
        self.learner_files: set[str] = set()
        self.started_tasks = StartedTasks(self.learner_files)
        self.steps = 0
        self.processes = 0
        """How often the tested module was loaded once more."""
        self._tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], Actor] = weakref.WeakKeyDictionary()
        self._threads: dict[int, Actor] = {}
        self._deaths: dict[str, asyncio.Future[None]] = {}
        self._groups: list[threads.ThreadGroup] = []
        self.turns: list[threads.ThreadGroup] = []
        """Those whose threads take turns now, the innermost last."""
        self._closers: list[Callable[[], None]] = []
        self.pools: list[redis.asyncio.ConnectionPool] = []

    @property
    def parts(self) -> tuple[object, ...]:
        """What stays as it is while the world lasts. Whether there is a race is part of it, once somebody acts."""
        scheduler, trace, server = self.scheduler, self.trace, self.server
        raced = scheduler.racing or not self._deaths
        return (
            self.plan,
            scheduler,
            scheduler.plan,
            scheduler.choices,
            trace,
            trace.entries,
            server,
            self.clock,
            raced,
        )

    # life

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Virtual time and repeatable randomness for whatever runs inside; afterwards nothing of it is left."""
        with self.clock.installed(self.sleep_sync), repeatable():
            try:
                yield
            finally:
                self.close()
                self.server.close()
                for group in self._groups:
                    group.dispose()
                for closer in self._closers:
                    closer()

    def on_close(self, closer: Callable[[], None]) -> None:
        self._closers.append(closer)

    async def disconnect(self) -> None:
        """Close the asynchronous connections, while their loop still runs."""
        for pool in self.pools:
            await pool.disconnect()

    def close(self) -> None:
        """From now on nobody reaches the world any more."""
        self.closed = True

    # actors

    @property
    def actor(self) -> Actor:
        here = _thread.get_ident()
        if self.loop is None or here != self._home:
            return self._threads.get(here, self.main)
        task = asyncio.current_task(self.loop)
        if task is not None and (known := self._tasks.get(task)) is not None:
            return known
        letter = _ACTOR.get()  # of a callback, and of a task that was not made by the loop
        if letter is None:
            raise self._objection(
                "this runs in an empty context, so nobody can tell which process acts: run it in a copy of the "
                "present one, as `contextvars.copy_context` makes it"
            )
        return next((actor for actor in self.actors if actor.letter == letter), self.main)

    def _objection(self, message: str) -> LabError:
        error = LabError(message)
        self.objection = self.objection or error
        return error

    def become(self, actor: Actor) -> None:
        """From now on this task, or this thread, acts as `actor`."""
        here = _thread.get_ident()
        if self.loop is not None and here == self._home and (task := asyncio.current_task(self.loop)):
            self._tasks[task] = actor
        else:
            self._threads[here] = actor
        self.mark(actor)

    def mark(self, actor: Actor) -> None:
        """What is called back in the present context from now on is called back for `actor`."""
        _ACTOR.set(actor.letter)

    def mark_empty(self, context: contextvars.Context) -> None:
        """Whoever schedules something in a context that knows nobody is called back for."""
        if _ACTOR not in context:
            context.run(self.mark, self.actor)

    def inherit(self, task: asyncio.Task[Any], actor: Actor) -> None:
        """A new task acts for whoever has started it."""
        self._tasks.setdefault(task, actor)

    def actor_of(self, task: asyncio.Task[Any]) -> Actor:
        return self._tasks.get(task, self.main)

    def new_actor(self, title: str | None, role: str) -> Actor:
        if len(self.actors) >= len(LETTERS):
            raise LabError(f"at most {len(LETTERS)} actors in one run; race fewer callers")
        letter = LETTERS[len(self.actors)]
        actor = Actor(letter, title or f"{role} {letter}")
        self.actors.append(actor)
        return actor

    def adopt(self, task: asyncio.Task[Any], actor: Actor, death: asyncio.Future[None]) -> None:
        self._tasks[task] = actor
        self._deaths[actor.letter] = death

    def adopt_group(self, group: threads.ThreadGroup) -> None:
        self._groups.append(group)

    # steps

    def _step(self, actor: Actor, text: str, touches: Touches, resume: Callable[[], None]) -> Step:
        step = Step(actor, actor.steps, text, touches, resume)
        actor.steps += 1
        return step

    def release_next(self) -> bool:
        """Let the next waiting task take its step; False if none waits."""
        step = self.scheduler.next_step()
        if step is None:
            return False
        self.release(step)
        step.resume()
        return True

    def release(self, step: Step) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise NeverFinishes(f"never finishes: {MAX_STEPS:,} steps taken, the last was {step.text!r}")
        step.time = self.clock.elapsed
        self.trace.entries.append(step)

    def _fault_kind(self, actor: Actor, index: int) -> str | None:
        fault = self.plan.fault
        if fault is not None and (fault.actor, fault.step) == (actor.letter, index):
            self.fault_hit = True
            return fault.kind
        return None

    def faulted(self, step: Step) -> bool:
        """Whether the fault strikes after the step was applied."""
        return self._fault_kind(step.actor, step.index) in ("died-after", "lost-reply")

    # asynchronous gates

    async def enter(self, text: str, touches: Touches, lost: Lost) -> Step:
        """Wait for this step's turn; faults that strike before it is applied strike here."""
        actor = self.actor
        if actor.dead or self.closed:
            await self._freeze(actor)
        if stall := self._stall(actor):
            await asyncio.sleep(stall)
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()

        def go() -> None:
            if not turn.done():
                turn.set_result(None)

        step = self._step(actor, text, touches, go)
        self.scheduler.submit(step)
        try:
            await turn
        except asyncio.CancelledError:
            self.scheduler.withdraw(step)
            raise
        if actor.dead:
            await self._freeze(actor)
        kind = self._fault_kind(actor, step.index)
        if kind == "lost-request":
            step.note = "request lost"
            raise lost("connection lost before the request was sent")
        if kind == "died-before":
            step.note = "process died before sending"
            await self._freeze(actor)
        return step

    async def leave(self, step: Step, lost: Lost) -> None:
        """Faults that strike after the step was applied strike here."""
        kind = self._fault_kind(step.actor, step.index)
        if kind == "lost-reply":
            step.note = "applied, reply lost"
            raise lost("connection lost before the reply arrived")
        if kind == "died-after":
            step.note = "applied, then process died"
            await self._freeze(step.actor)

    async def _freeze(self, actor: Actor) -> None:
        # Not task.cancel(): that would run the learner's `finally`, which a killed process never does.
        if self.closed:
            raise asyncio.CancelledError
        if not actor.dead:
            actor.dead = True
            self.scheduler.silence(actor)
            death = self._deaths.get(actor.letter)
            if death is not None and not death.done():
                death.set_result(None)
        await asyncio.get_running_loop().create_future()

    async def call(self, text: str, apply: Callable[[], T], touches: Touches, lost: Lost) -> T:
        """One atomic step of a fake."""
        step = await self.enter(text, touches, lost)
        try:
            step.reply = apply()
        except Exception as error:
            step.reply = error
            raise
        finally:
            if self.faulted(step):
                await self.leave(step, lost)
        return step.reply  # type: ignore[no-any-return]

    # synchronous gates

    def enter_sync(self, text: str, touches: Touches, lost: Lost) -> Step:
        here = threads.current()
        beside = here is None and bool(self.turns)
        actor = self._only_caller() if beside else self.actor
        if self.closed or actor.dead:
            raise ProcessDied
        if here is None:
            # The test's own thread, a blocking client inside a task, or one beside the only caller's thread: nobody
            # else can run anyway.
            step = self._step(actor, text, touches, lambda: None)
            self.release(step)
            if not beside:
                return step
        else:
            group, me = here
            if stall := self._stall(actor):
                group.sleep(me, stall)
            step = self._step(actor, text, touches, lambda: None)
            group.pause_at(me, step)
        kind = self._fault_kind(actor, step.index)
        if kind == "lost-request":
            step.note = "request lost"
            raise lost("connection lost before the request was sent")
        if kind == "died-before":
            step.note = "process died before sending"
            self._die(actor, lost)
        return step

    def leave_sync(self, step: Step, lost: Lost) -> None:
        kind = self._fault_kind(step.actor, step.index)
        if kind == "lost-reply":
            step.note = "applied, reply lost"
            raise lost("connection lost before the reply arrived")
        if kind == "died-after" and (self.turns or threads.current()):
            step.note = "applied, then process died"
            self._die(step.actor, lost)

    def _only_caller(self) -> Actor:
        """For whom a thread acts that the tested code has started: clear enough if there is but one."""
        callers = self.turns[-1].callers
        if len(callers) > 1:
            raise self._objection(
                "a thread that the tested code has started has no turn among the callers, so nothing could be said "
                "about their race: do it in the caller's own thread"
            )
        return callers[0]

    def _die(self, actor: Actor, lost: Lost) -> NoReturn:
        here = threads.current()
        if here is not None:
            self._freeze_sync(actor, *here)
        # In a thread beside its caller's, which hears of it at its own next step, or at its end.
        actor.dead = True
        self.scheduler.silence(actor)
        raise lost("this process has died")

    def die_sync(self) -> NoReturn:
        """Kill the process of the synchronous actor that calls this."""
        here = threads.current()
        if here is None:
            raise LabError("only an actor can die: call it in lab.attempt_sync, lab.race_sync or a Celery task")
        self.trace.note(self.actor, self.clock.elapsed, "** process killed **")
        self._freeze_sync(self.actor, *here)

    def _freeze_sync(self, actor: Actor, group: threads.ThreadGroup, me: threads.ThreadActor) -> NoReturn:
        actor.dead = True
        self.scheduler.silence(actor)
        group.freeze(me)

    def call_sync(self, text: str, apply: Callable[[], T], touches: Touches, lost: Lost) -> T:
        step = self.enter_sync(text, touches, lost)
        try:
            step.reply = apply()
        except Exception as error:
            step.reply = error
            raise
        finally:
            if self.faulted(step):
                self.leave_sync(step, lost)
        return step.reply  # type: ignore[no-any-return]

    # time

    def sleep_sync(self, seconds: float) -> None:
        """What ``time.sleep`` does in this world."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        if self.closed:
            raise ProcessDied
        here = threads.current()
        if here is None:
            self.clock.advance(seconds)
        else:
            group, me = here
            group.sleep(me, seconds)

    def _stall(self, actor: Actor) -> float | None:
        fault = self.plan.fault
        if fault is None or (fault.actor, fault.step) != (actor.letter, actor.steps):
            return None
        stall = fault.stall_seconds
        if stall is not None:
            self.fault_hit = True
            self.trace.note(actor, self.clock.elapsed, f"** paused for {stall:g} s **")
        return stall
