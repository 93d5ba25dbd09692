"""The Celery worker around a machine's cells: one process for each, and one file to grade for each at a time.

A process that a submission brings down is noticed by Celery (`reject_on_worker_lost`), a machine that goes down by
the broker; either way the file is somebody else's next. The processes, unlike threads, also keep a cell with the
thread that started it, which it must not outlive.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

from billiard import current_process
from celery import Celery, Task, signals
from celery.exceptions import CPendingDeprecationWarning, Reject, SecurityWarning
from celery.worker.consumer import Consumer as _Consumer
from kombu.entity import Queue

from dojo.catalog import Catalog, Kata
from dojo.grader.confine.cage import Tier
from dojo.grader.remote import broker
from dojo.grader.remote.broker import Broker
from dojo.grader.remote.machine import Desk, Machine, Unfit, name_of_worker
from dojo.grader.remote.wire import TASK, Assignment, Kind, Reply
from dojo.grader.workspace import workspace
from dojo.runner.ending import die_with_parent

MOST_DELIVERIES = 2
"""Attempts that may end without an answer. The next one is none: it is a dead letter."""
_PATIENT = {"max_retries": 40, "interval_start": 0.2, "interval_step": 0.3, "interval_max": 5.0}
"""Of an answer that finds no broker: three minutes. Then the task is somebody else's."""
_BASE_S, _CAP_S = 1.0, 10.0


class Consumer(_Consumer):  # type: ignore[misc]
    """Celery's, without the exchanges and queues that it makes for delayed tasks as soon as it sees a quorum queue.

    What is no message at all ends a connection, and not the worker. It has left the queue, so it is not met again.
    """

    class Blueprint(_Consumer.Blueprint):  # type: ignore[misc]
        default_steps = [  # noqa: RUF012 - as Celery has it
            step for step in _Consumer.Blueprint.default_steps if not str(step).endswith(":DelayedDelivery")
        ]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.connection_errors: tuple[type[BaseException], ...] = (*self.connection_errors, *broker.UNREADABLE)


class _Work:
    """What the task's body does, in each of the worker's processes."""

    def __init__(self, server: Broker, machine: Machine) -> None:
        self._broker = server
        self._machine = machine
        self._desk: Desk | None = None
        self._refusals = 0

    def start(self, **_: Any) -> None:
        die_with_parent()  # a worker that is killed leaves no process behind that goes on with its tasks
        tempfile.tempdir = str(self._machine.workspace)
        self._desk = Desk(self._machine, current_process().index)

    def stop(self, **_: Any) -> None:
        if self._desk is not None:
            self._desk.close()

    def do(self, task: Any, data: dict[str, Any]) -> None:
        """Answers, and returns; what it raises is for the worker: the task is to be done again."""
        try:
            asked = Assignment.from_json(data)
        except (ValueError, TypeError, KeyError) as error:
            print(f"a task that cannot be read: {error}. It is dropped.", file=sys.stderr)
            return
        worker = name_of_worker()
        try:
            with self._broker.held(asked.id, worker):
                reply = self._graded(task, asked, worker, data)
                self._send(task.app, reply, asked.reply_to)
                self._broker.finished(asked.id, asked.reply_to)
        except broker.broken(self._broker) as error:
            raise Reject(str(error), requeue=True) from error
        self._refusals = self._refusals + 1 if reply.kind == "refused" else 0
        if self._refusals:
            # While this one waits, others take what it cannot do.
            time.sleep(min(_CAP_S, _BASE_S * 2 ** (self._refusals - 1)))

    def _graded(self, task: Any, asked: Assignment, worker: str, data: dict[str, Any]) -> Reply:
        def reply(kind: Kind, why: str = "", **more: Any) -> Reply:
            return Reply(kind, asked.key, asked.round, worker, why, **more)

        attempt = self._broker.deliveries(asked.id, vars(task.request))
        if attempt > MOST_DELIVERIES:
            why = f"it ended the workers that ran it, {MOST_DELIVERIES} times. It is kept in the queue {broker.DEAD}."
            self._send_dead(task.app, data, why)
            return reply("dead", why)
        self._send(task.app, reply("begun"), asked.reply_to)
        assert self._desk is not None
        try:
            verdict = self._desk.grade(asked)
        except Unfit as error:
            return reply("refused", str(error))
        except Exception as error:  # noqa: BLE001 - a fault of the grader's is not the submission's
            return reply("refused", f"the worker failed: {type(error).__name__}: {error}")
        confinement = self._machine.confinement
        return reply("graded", tier=confinement.tier, not_enforced=confinement.not_enforced, verdict=verdict)

    def _send(self, app: Celery, reply: Reply, queue: str) -> None:
        self._publish(app, reply.to_json(), queue)

    def _send_dead(self, app: Celery, data: dict[str, Any], why: str) -> None:
        self._publish(app, {"why": why, "assignment": data}, broker.DEAD, declare=[broker.dead_queue()])

    def _publish(self, app: Celery, body: dict[str, Any], queue: str, declare: list[Queue] | None = None) -> None:
        with app.producer_or_acquire() as producer:
            producer.publish(
                body,
                exchange="",
                routing_key=queue,
                serializer="json",
                delivery_mode=2,
                declare=declare or [],
                retry=True,
                retry_policy=_PATIENT,
            )


def work(
    url: str,
    catalog: Catalog,
    katas: tuple[Kata, ...],
    cells: int,
    wanted: Tier | None,
    tell: Callable[[str], None],
) -> int:
    """Grades what the broker has, until it is told to stop; the exit code. Raises GraderError before it begins."""
    server = broker.broker_at(url)
    broker.reach(server)
    with workspace("worker") as place:
        machine = Machine.prepare(catalog, katas, place, cells, wanted, tell)
        tell(f"confinement: {machine.confinement.tier}")
        for what in machine.confinement.not_enforced:
            tell(f"  not enforced here: a submission could {what}")
        its = _Work(server, machine)
        app = celery_worker(server, its)
        signals.worker_process_init.connect(its.start, weak=False)
        signals.worker_process_shutdown.connect(its.stop, weak=False)
        signals.worker_ready.connect(
            lambda **_: tell(
                f"katas checked: {len(katas)}; cells: {cells}; waiting for work at {broker.shown(server.url)}"
            ),
            weak=False,
        )
        # What it warns root of, pickled messages, it does not accept; and submissions run as somebody else.
        warnings.simplefilter("ignore", SecurityWarning)
        warnings.simplefilter("ignore", CPendingDeprecationWarning)  # of a default that is not ours
        worker = app.Worker(
            hostname=f"dojo@{name_of_worker()}",
            pool_cls="prefork",
            concurrency=cells,
            loglevel="WARNING",
            quiet=True,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        worker.start()
        return int(worker.exitcode or 0)


def celery_worker(server: Broker, its: _Work) -> Celery:
    """The app with its one task."""
    app = broker.celery_app(server)

    @app.task(name=TASK, bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=None)  # type: ignore[untyped-decorator]
    def grade(self: Task, data: dict[str, Any]) -> None:
        its.do(self, data)

    return app
