"""A Celery worker without processes, sockets or waiting: real requests, real tracing, virtual time."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from billiard.einfo import ExceptionInfo, ExceptionWithTraceback
from billiard.exceptions import WorkerLostError
from celery import Celery
from celery.exceptions import Ignore, InvalidTaskError, Reject, Retry, TaskRevokedError
from celery.worker.request import Request
from kombu.entity import Queue
from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.message import Message
from kombu.serialization import prepare_accept_content

from dojo.lab import threads
from dojo.lab.clock import NS
from dojo.lab.errors import LabError, NeverFinishes
from dojo.lab.outcome import Outcome
from dojo.lab.trace import LETTERS, Actor
from dojo.lab.verdict import one_line

if TYPE_CHECKING:
    from dojo.lab.celery_transport import Broker

Pool = Literal["solo", "prefork"]

MAX_TASKS = 1_000
"""Executions in one `run`; a message that always comes back ends here."""


NO_TIME_LIMITS = "time limits are not simulated: leave (task_)time_limit and (task_)soft_time_limit unset"


class Worker:
    """One worker that executes one task at a time, with a prefetch of one.

    ``pool="solo"``: the task runs in the worker's own process. A fault that strikes there kills the node; what it
    held goes back to the queues, redelivered.
    ``pool="prefork"``: the task runs in a child process, an actor of its own. A fault kills the child alone, and the
    parent reports ``WorkerLostError``: with ``acks_late`` Celery then *acknowledges* the message, unless
    ``task_reject_on_worker_lost`` is set.
    """

    def __init__(self, broker: Broker, app: Celery, queues: Sequence[str] | None, pool: Pool, name: str | None) -> None:
        app.finalize()
        if app.conf.task_time_limit or app.conf.task_soft_time_limit:
            raise LabError(NO_TIME_LIMITS)
        self._broker = broker
        self._world = broker.world
        self._app = app
        self._pool = pool
        self._name = name
        self._channel = app.connection_for_read().default_channel
        known = app.amqp.queues
        wanted = {n: known[n] for n in queues} if queues is not None else known.consume_from
        for queue in wanted.values():
            queue(self._channel).declare()
        self._turns = deque(wanted)
        self._held: list[tuple[int, int, Request]] = []
        self._order = itertools.count()
        self._process: Actor | None = None
        self._child: Actor | None = None
        self._raced = False
        self.executed = 0
        """Tasks that this worker has started."""

    # what tests call

    def run(self) -> int:
        """Work until no task is ready and none is due later; the number of tasks started.

        Time passes as the tasks' ETAs demand, and the TTLs of messages that expire into a queue of this worker.
        """
        before = self.executed
        self._as_worker(self._loop)
        return self.executed - before

    def step(self) -> bool:
        """Take one task and execute it, at its ETA if it has one. False if there was none."""
        return self._as_worker(self._one) is True

    @property
    def dead(self) -> bool:
        """Whether a fault has killed this worker; its successor is another `worker(app)`."""
        return self._process is not None and self._process.dead

    # who acts

    def _as_worker(self, body: Callable[[], Any]) -> Any:
        if threads.current() is not None:
            if self._pool == "prefork":
                raise LabError('a worker that races with others needs pool="solo": one actor is one process')
            self._raced = True
            return body()
        if self._process is None:
            # The process in which task bodies run comes first: it is the actor A that @sweep strikes.
            self._child = self._world.new_actor(None, "child") if self._pool == "prefork" else None
            self._process = self._world.new_actor(self._name, "worker")
        if self._process.dead:
            raise LabError("this worker died; start its successor with worker(app)")
        if self._pool == "solo":
            return self._in_process(self._process, body).result()
        before = self._world.actor
        self._world.become(self._process)
        try:
            return body()
        finally:
            self._world.become(before)

    def _in_process(self, actor: Actor, body: Callable[[], Any]) -> Outcome:
        group = threads.ThreadGroup(self._world, {actor.letter: threads.ThreadActor(actor, body)})
        self._world.adopt_group(group)
        return group.run()[actor.letter]

    # the loop

    def _loop(self) -> None:
        for _ in range(MAX_TASKS):
            if not self._one():
                return
        raise NeverFinishes(f"never finishes: {MAX_TASKS:,} tasks executed, and there are still more")

    def _one(self) -> bool:
        request = self._next()
        if request is None:
            return False
        self.executed += 1
        with contextlib.suppress(TaskRevokedError):  # it expired while it waited; Celery has acknowledged it
            request.execute_using_pool(self)
        return True

    def _next(self) -> Request | None:
        """The next task that is due, waiting for an ETA if nothing else is left."""
        while True:
            if self._held and self._held[0][0] <= self._world.clock.wall_ns:
                request = heapq.heappop(self._held)[2]
                # After a lost connection the broker has given it to somebody else; Celery drops it then, too.
                if self._broker.queues.holds(request.message.delivery_tag):
                    return request
                continue
            message = self._receive()
            if message is None:
                due = self._next_due()
                if due is None:
                    return None
                self._world.sleep_sync((due - self._world.clock.wall_ns) / NS)
                continue
            request = self._accept(message)
            if request is None:
                continue
            due = _wall_ns(request)
            if due <= self._world.clock.wall_ns:
                return request
            heapq.heappush(self._held, (due, next(self._order), request))

    def _next_due(self) -> int | None:
        """When there will be something to do: a task's ETA, or a TTL that brings a message back; Unix time in ns."""
        times = [self._held[0][0] if self._held else None, self._broker.queues.returns_at(self._turns)]
        return min((at for at in times if at is not None), default=None)

    def _receive(self) -> Message | None:
        """One message, the queues taking turns."""
        for _ in range(len(self._turns)):
            name = self._turns[0]
            self._turns.rotate(-1)
            if not self._raced and not self._broker.queues.depth(name):
                continue  # nobody can add to it meanwhile, so an empty answer needs no step
            message = self._get(name)
            if message is not None:
                return message
        return None

    def _get(self, queue: str) -> Message | None:
        while True:
            if self._broker.down:
                raise LabError("a worker waits while the broker cannot be reached: let it work after the outage")
            with contextlib.suppress(ConnectionError):  # a worker reconnects
                message: Message | None = Queue(queue)(self._channel).get()
                return message

    def _accept(self, message: Message) -> Request | None:
        """The request of a message; None if Celery will not have it (celery.worker.consumer)."""
        message.accept = prepare_accept_content(self._app.conf.accept_content)
        name = message.headers.get("task")
        try:
            if name is None:
                message.decode()
                raise InvalidTaskError("not a Celery message")
            if name not in self._app.tasks:
                raise InvalidTaskError(f"unknown task {name!r}")
            request = Request(
                message,
                app=self._app,
                task=self._app.tasks[name],
                hostname="worker@lab",
                on_ack=message.ack_log_error,
                on_reject=message.reject_log_error,
                connection_errors=(ConnectionError,),
            )
        except (InvalidTaskError, ContentDisallowed) as error:
            self._tell(f"refused: {one_line(str(error), 80)}")
            message.reject_log_error(_SILENT, (ConnectionError,))
            return None
        except DecodeError as error:
            self._tell(f"undecodable, so Celery acknowledges it: {one_line(str(error), 60)}")
            message.ack_log_error(_SILENT, (ConnectionError,))
            return None
        if request.expires and request.revoked():
            self._tell(f"{name} has expired: discarded")
            return None
        return request

    # the pool, as celery.worker.request sees it

    def apply_async(
        self,
        target: Callable[..., Any],
        args: Sequence[Any],
        accept_callback: Callable[..., None],
        callback: Callable[..., None],
        error_callback: Callable[..., None],
        timeout: float | None = None,
        soft_timeout: float | None = None,
        **_: Any,
    ) -> None:
        """Execute a task; the callbacks are the request's."""
        if timeout is not None or soft_timeout is not None:
            raise LabError(NO_TIME_LIMITS)
        accept_callback(1, time.monotonic())

        def execute() -> Any:
            try:
                return target(*args, app=self._app)
            except SystemExit:
                self._world.die_sync()

        if self._pool == "solo":
            self._report(args[0], execute(), callback)
            return
        if self._child is None:
            if len(self._world.actors) == len(LETTERS):
                raise NeverFinishes(f"never finishes: child after child dies, the last while it executed {args[0]}")
            self._child = self._world.new_actor(None, "child")
        outcome = self._in_process(self._child, execute)
        if outcome.died:
            self._child = None
            self._tell(f"WorkerLostError: the child died while it executed {args[0]}")
            try:
                raise WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL).")
            except WorkerLostError:
                error_callback(ExceptionInfo())
        else:
            self._report(args[0], outcome.result(), callback)

    def _report(self, task: str, result: tuple[int, Any, float], callback: Callable[..., None]) -> None:
        failed, value, _ = result
        if failed:
            error = value.exception
            error = error.exc if isinstance(error, ExceptionWithTraceback) else error
            if isinstance(error, (NotImplementedError, LabError)):
                raise error  # says nothing about the rule; Celery would make a failed task of it
            if not isinstance(error, (Retry, Reject, Ignore)):
                self._tell(f"{task} raised {type(error).__name__}: {one_line(str(error), 60)}")
        callback(result)

    def _tell(self, line: str) -> None:
        self._world.trace.note(self._world.actor, self._world.clock.elapsed, line)


class _Silent:
    """A logger that is not one: what kombu would log stands in the timeline."""

    def critical(self, *args: Any, **options: Any) -> None:
        """Lost acknowledgements are steps of the timeline."""


_SILENT = _Silent()


def _wall_ns(request: Request) -> int:
    """When a request is due, in nanoseconds of Unix time; Celery's ETAs go by microseconds."""
    return 0 if request.eta is None else round(request.eta.timestamp() * 1_000_000) * 1000
