"""An asyncio event loop that never waits.

When nothing is runnable, the loop asks the scheduler for a step that waits at a gate; if there is none, it jumps
to the next timer; if there is no timer either, everybody waits for ever, and that is a `Deadlock`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import math
import selectors
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from dojo.lab.blame import waiting_tasks
from dojo.lab.errors import Deadlock, NeverFinishes

if TYPE_CHECKING:
    from dojo.lab.world import World

MAX_JUMPS = 20_000
"""Timer jumps a run may make. A loop that polls every 0.1 s never ends in virtual time; this ends it."""

WIRE_PATIENCE_S = 5.0
"""Real seconds to wait for a real server's answer."""


class _Selector(selectors.DefaultSelector):
    world: World
    jumps = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0:
            # Something is ready to run. Sockets exist only over a real server; without one, skip the system call.
            return super().select(0) if self.world.wire.remote else []
        if self.world.wire.remote and self.world.wire.in_flight:
            events = super().select(WIRE_PATIENCE_S)
            if not events:
                raise NeverFinishes(f"the server did not answer within {WIRE_PATIENCE_S:g} real seconds")
            return events
        events = super().select(0)
        if events or self.world.release_next():
            return events
        if timeout is None:
            raise Deadlock("every task waits for ever:\n" + waiting_tasks(self.world))
        self.jumps += 1
        if self.jumps > MAX_JUMPS:
            raise NeverFinishes(
                f"never finishes: {MAX_JUMPS:,} timers in {self.world.clock.elapsed:,.0f} virtual seconds\n"
                + waiting_tasks(self.world)
            )
        self.world.clock.advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop of one world."""

    def __init__(self, world: World) -> None:
        selector = _Selector()
        selector.world = world
        self._world = world
        super().__init__(selector)
        self.set_exception_handler(self._keep)

    @property
    def _clock_resolution(self) -> float:
        """What asyncio adds to the time when it looks which timers are due; after 97 days a nanosecond adds nothing."""
        return max(1e-9, 2 * math.ulp(self.time()))

    @_clock_resolution.setter
    def _clock_resolution(self, seconds: float) -> None:
        """asyncio's own, of the real clock, is of no interest."""

    def time(self) -> float:
        return self._world.clock.monotonic()

    def create_task(self, *args: Any, **options: Any) -> asyncio.Task[Any]:
        if not self.is_running():  # it is the lab that starts it
            return super().create_task(*args, **options)
        actor = self._world.actor
        task: asyncio.Task[Any] = super().create_task(*args, **options)
        self._world.inherit(task, actor)
        self._world.started_tasks.note(task)
        return task

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        if context is not None:
            self._world.mark_empty(context)
        return super().call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        if context is not None:
            self._world.mark_empty(context)
        return super().call_at(when, callback, *args, context=context)

    def _keep(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # An exception that nobody retrieved is evidence for a test to ask about, not noise on stderr.
        self._world.background_errors.append(context)

    def run_in_executor(  # type: ignore[override]
        self, executor: concurrent.futures.Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run `func` at once, in the loop's own thread.

        A thread's timing cannot be replayed. Inline, a blocking call is one atomic step, and the order is always
        the same.
        """
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed to whoever awaits it
            future.set_exception(error)
        return future


def run_async(world: World, main: Coroutine[Any, Any, None]) -> None:
    """Run `main` on a fresh virtual loop; afterwards nothing of it is left alive."""
    loop = VirtualLoop(world)
    world.loop = loop
    world.mark(world.main)
    try:
        with _inline_worker_threads():
            loop.run_until_complete(main)
    finally:
        try:
            _dispose(world, loop)
        finally:
            world.loop = None
            loop.close()


def _dispose(world: World, loop: VirtualLoop) -> None:
    """Cancel what is left. The world is closed first: no `finally` of a dead process may touch it."""
    world.close()
    for _ in range(20):  # a task may answer its cancellation by starting another one
        tasks = [t for t in asyncio.all_tasks(loop) if not t.done()]
        if not tasks:
            break
        for task in tasks:
            task.cancel()
        with contextlib.suppress(Deadlock, NeverFinishes):
            loop.run_until_complete(asyncio.wait(tasks, timeout=1))
    for last in (world.disconnect, loop.shutdown_asyncgens):
        with contextlib.suppress(Deadlock, NeverFinishes):
            loop.run_until_complete(last())


@contextlib.contextmanager
def _inline_worker_threads() -> Iterator[None]:
    """Run what Starlette sends to worker threads (`def` endpoints) inline, for the reason given above."""
    import anyio.to_thread

    async def run_sync(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return func(*args)

    real = anyio.to_thread.run_sync
    anyio.to_thread.run_sync = run_sync  # type: ignore[assignment]
    try:
        yield
    finally:
        anyio.to_thread.run_sync = real
