"""Synchronous actors: real threads under a baton, so that exactly one runs at a time.

The same gates and the same scheduler as for tasks. A thread gives the baton back at each gate, at each
``time.sleep`` and at its end; if it does not come back, the thread blocks on something that the lab does not
control, and that is reported with the line.
"""

from __future__ import annotations

import _thread
import contextlib
import contextvars
import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from dojo.lab.blame import learner_line
from dojo.lab.errors import Deadlock, NeverFinishes, ProcessDied, Stuck
from dojo.lab.one_cpu import move_to, staying_here
from dojo.lab.outcome import Outcome
from dojo.lab.trace import Actor, Step

if TYPE_CHECKING:
    from dojo.lab.world import World

BATON_PATIENCE_S = 5.0
"""Real seconds that one actor may compute between two gates."""

MAX_WAKES = 20_000

_REAL_SLEEP = time.sleep  # bound before any world replaces it


@dataclass(eq=False)
class ThreadActor:
    """One actor with the locks that hand it the baton and take it back."""

    actor: Actor
    body: Callable[[], Any]
    baton: Any = field(default_factory=_thread.allocate_lock)
    ident: int = 0
    wake_ns: int | None = None
    """Virtual time at which a sleeping actor goes on."""
    outcome: Outcome | None = None

    def __post_init__(self) -> None:
        self.baton.acquire()


class _Pool:
    """Parked threads, reused: starting one costs more than a whole schedule."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []

    def submit(self, job: Callable[[], None]) -> None:
        worker = self._idle.pop() if self._idle else _Worker(self)
        worker.job = job
        worker.lock.release()

    def give_back(self, worker: _Worker) -> None:
        self._idle.append(worker)

    def forget(self) -> None:
        self._idle.clear()


class _Worker:
    def __init__(self, pool: _Pool) -> None:
        self.lock = _thread.allocate_lock()
        self.lock.acquire()
        self.job: Callable[[], None] | None = None
        self._pool = pool
        threading.Thread(target=self._serve, daemon=True, name="dojo-actor").start()

    def _serve(self) -> None:
        # An interrupted actor may be between two of its lines when the interruption arrives; this thread is
        # then not fit for another job.
        with contextlib.suppress(Stuck):
            while True:
                self.lock.acquire()
                job, self.job = self.job, None
                assert job is not None
                job()
                del job
                self._pool.give_back(self)


_POOL = _Pool()
if hasattr(os, "register_at_fork"):
    # A fork copies the list of parked threads, but not the threads: a job given to one of them would wait for ever.
    os.register_at_fork(after_in_child=_POOL.forget)
_CURRENT: dict[int, tuple[ThreadGroup, ThreadActor]] = {}
"""By thread, and not in a context variable: whoever runs in a context can leave it."""


def current() -> tuple[ThreadGroup, ThreadActor] | None:
    """The group and actor whose thread this is; None in the test's own thread."""
    return _CURRENT.get(_thread.get_ident())


class ThreadGroup:
    """The actors of one race."""

    def __init__(self, world: World, actors: dict[str, ThreadActor]) -> None:
        self._world = world
        self._actors = actors
        self._back = _thread.allocate_lock()
        self._back.acquire()
        self._frozen: list[ThreadActor] = []
        self._wakes = 0

    def run(self) -> dict[str, Outcome]:
        """Run everybody to the end (or death), started in the order given; outcomes by letter."""
        self._world.turns.append(self)
        try:
            with staying_here() as cpu:
                return self._run(cpu)
        finally:
            self._world.turns.remove(self)

    @property
    def callers(self) -> list[Actor]:
        return [each.actor for each in self._actors.values()]

    def _run(self, cpu: int | None) -> dict[str, Outcome]:
        for actor in self._actors.values():
            self._start(actor, cpu)
        for actor in self._actors.values():
            self._resume(actor)
        while any(a.outcome is None for a in self._actors.values()):
            # Whoever is due goes on to its next gate first, as timers do in a loop: only then do all who could
            # act at this instant stand before the scheduler.
            if self._wake(self._world.clock.elapsed_ns):
                continue
            step = self._world.scheduler.next_step()
            if step is not None:
                self._world.release(step)
                self._resume(self._actors[step.actor.letter])
            else:
                self._pass_time()
        return {letter: a.outcome for letter, a in self._actors.items() if a.outcome is not None}

    # called from the actors' threads

    def pause_at(self, me: ThreadActor, step: Step) -> None:
        self._world.scheduler.submit(step)
        self._hand_back(me)

    def sleep(self, me: ThreadActor, seconds: float) -> None:
        me.wake_ns = self._world.clock.elapsed_ns + max(0, round(seconds * 1e9))
        self._hand_back(me)

    def freeze(self, me: ThreadActor) -> NoReturn:
        """The process died: stop here for ever; the thread unwinds only when the world is disposed of."""
        me.outcome = Outcome(died=True)
        self._frozen.append(me)
        self._hand_back(me)
        raise ProcessDied

    def dispose(self) -> None:
        for actor in [*self._frozen, *(a for a in self._actors.values() if a.outcome is None)]:
            actor.outcome = actor.outcome or Outcome(died=True)
            actor.baton.release()
            self._back.acquire(timeout=BATON_PATIENCE_S)
        self._frozen.clear()

    # the baton

    def _release_back(self) -> None:
        if not self._world.closed:
            self._back.release()
            return
        # In a closed world an actor that was reported as stuck may end at any moment, beside the one being
        # disposed of; nobody waits for the second release.
        with contextlib.suppress(RuntimeError):
            self._back.release()

    def _hand_back(self, me: ThreadActor) -> None:
        self._release_back()
        me.baton.acquire()
        if self._world.closed:
            raise ProcessDied

    def _start(self, actor: ThreadActor, cpu: int | None) -> None:
        context = contextvars.copy_context()

        def job() -> None:
            move_to(cpu)
            actor.ident = _thread.get_ident()
            actor.baton.acquire()
            _CURRENT[actor.ident] = (self, actor)
            try:
                context.run(self._body, actor)
            finally:
                del _CURRENT[actor.ident]
            self._release_back()

        _POOL.submit(job)

    def _body(self, actor: ThreadActor) -> None:
        self._world.become(actor.actor)
        if self._world.closed:
            return
        try:
            outcome = Outcome(value=actor.body())
        except ProcessDied:
            outcome = Outcome(died=True)
        except BaseException as error:  # noqa: BLE001 - handed over to the test's thread, which re-raises it
            outcome = Outcome(error=error)
        if actor.outcome is None:
            actor.outcome = Outcome(died=True) if actor.actor.dead else outcome

    def _resume(self, actor: ThreadActor) -> None:
        actor.baton.release()
        if not self._back.acquire(timeout=BATON_PATIENCE_S):
            frame = sys._current_frames().get(actor.ident)
            where = learner_line(self._world.learner_files, frame) or "outside your file"
            if _computing(actor.ident):
                _interrupt(actor.ident)
            raise NeverFinishes(
                f"{actor.actor.title} neither goes on nor ends: it computes without end, or blocks on something that "
                f"is no server (a threading.Lock that another caller holds?)\n  {where}"
            )

    def _sleeping(self) -> list[ThreadActor]:
        return [a for a in self._actors.values() if a.wake_ns is not None and a.outcome is None]

    def _pass_time(self) -> None:
        """Move the clock to the next moment at which somebody wakes."""
        wakes = [a.wake_ns for a in self._sleeping() if a.wake_ns is not None]
        if not wakes:
            raise Deadlock("every caller waits for ever")
        self._world.clock.advance_ns(max(0, min(wakes) - self._world.clock.elapsed_ns))

    def _wake(self, now_ns: int) -> bool:
        """Let everybody who is due go on, one after the other; whether there was anybody."""
        due = [a for a in self._sleeping() if a.wake_ns is not None and a.wake_ns <= now_ns]
        for actor in due:
            self._wakes += 1
            if self._wakes > MAX_WAKES:
                raise NeverFinishes(
                    f"never finishes: slept {MAX_WAKES:,} times in {self._world.clock.elapsed:,.0f} virtual seconds"
                )
            actor.wake_ns = None
            self._resume(actor)
        return bool(due)


def _computing(ident: int) -> bool:
    """Whether a thread moves, as opposed to blocking in a call."""
    seen = set()
    for _ in range(20):
        frame = sys._current_frames().get(ident)
        seen.add((id(frame), frame.f_lasti if frame else 0))
        _REAL_SLEEP(0.002)
    return len(seen) > 1


def _interrupt(ident: int) -> None:
    """Raise in a thread that will not stop by itself; without this it would burn a core until the process ends."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Stuck))
