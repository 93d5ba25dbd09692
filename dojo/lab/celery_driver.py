"""Celery for tests: the real app, real tasks, the real request, in virtual time and without a broker to install.

``task_always_eager`` is not Celery: no queue, no acknowledgement, no redelivery, no countdown. Here a small
synchronous worker feeds ``celery.worker.request.Request`` from a broker with RabbitMQ's semantics. A test reads::

    def test_an_order_is_charged_once(lab):
        celery = lab.celery()
        app = celery.app(task_acks_late=True)     # a real Celery app; any Celery setting
        charge = register(app, lab.gateway_sync())  # the learner's function puts its tasks on the app
        charge.delay(7)
        celery.worker(app).run()                  # until nothing is ready or due
        lab.expect("charges", ..., [7], trap="...")

- ``celery.worker(app, queues=("orders",), pool="solo")``: `pool` says what a fault of ``@sweep`` kills. "solo": the
  whole worker, in the task or around it; start a second `worker(app)` for the recovery, which is also right when the
  first one did not die. "prefork": only the child that executes the task (`celery_worker.Worker`).
- ``lab.race_sync(one.run, two.run)`` lets two workers (pool "solo") race under the schedule.
- ``lab.die()`` in a task kills its process at that very point, as the OOM killer would.
- ``celery.depth("orders")``, ``celery.messages("orders.dlq")``, ``celery.unacked("orders")`` and
  ``celery.dropped()`` look without a step.
- ``with celery.outage():`` the broker cannot be reached. Celery then publishes four times before it gives up.
- ``celery.publish("orders", b"{")`` puts there what another producer might.

As on a real RabbitMQ: dead-lettering, priorities and delivery limits are what the *queue* was declared with
(``kombu.Queue("orders", queue_arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders.dlq"})`` in
``task_queues``), and whatever is sent to a queue that nobody has declared is gone. A worker declares the queues that it
consumes, a producer the one that it publishes to; the timeline tells what was dropped, and why. A quorum queue without
``x-delivery-limit`` allows 20 redeliveries, as since RabbitMQ 4.0; a negative limit is none.

The same tasks were run by a real prefork worker on RabbitMQ 3.10: executions, dead letters and their headers agree.

Not simulated: time limits (refused), rate limits, events, remote control, chords, `shared_task`, a prefetch of more
than one. There is no result backend unless the app is configured with one.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import importlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import kombu.transport
from celery import Celery, _state, signals
from celery.utils.dispatch import Signal
from celery.worker import state
from kombu import pools
from kombu.serialization import loads

from dojo.lab.celery_queues import Raw
from dojo.lab.celery_transport import Broker
from dojo.lab.celery_worker import Pool, Worker
from dojo.lab.world import World

_CLOCKED = {
    "celery.worker.request": ("monotonic",),
    "kombu.simple": ("monotonic",),
    "kombu.transport.virtual.base": ("monotonic", "sleep"),
    "kombu.utils.functional": ("sleep",),
}
"""Modules that bind these functions of `time` when they are imported, before there is a virtual clock."""

_NAMED = {"celery.app.trace": "gethostname", "celery.app.amqp": "anon_nodename"}
"""Where this machine's name and process id would get into messages."""

_CHATTER = ("celery.app.trace", "celery.worker.request")
"""Loggers that repeat what the timeline shows."""


@dataclass(frozen=True)
class StoredMessage:
    """A message in a queue, as tests look at it."""

    body: bytes
    headers: Mapping[str, Any]
    properties: Mapping[str, Any] = field(repr=False)
    content_type: str | None = field(repr=False)
    content_encoding: str | None = field(repr=False)

    @property
    def task(self) -> str | None:
        return self.headers.get("task")

    @property
    def id(self) -> str | None:
        """The task's id; it stays the same over retries and redeliveries."""
        return self.headers.get("id")

    @property
    def args(self) -> tuple[Any, ...]:
        return tuple(self._payload()[0])

    @property
    def kwargs(self) -> dict[str, Any]:
        return dict(self._payload()[1])

    @property
    def redelivered(self) -> bool:
        return bool(self.properties["delivery_info"]["redelivered"])

    def _payload(self) -> Any:
        return loads(self.body, self.content_type, self.content_encoding)


class App(Celery):  # type: ignore[misc]  # it has no annotations
    """A Celery app that shares nothing with the other apps of the process.

    Celery registers every task of ``@app.task`` in *all* apps of a process, so a second app, which stands for a second
    process, would run the first one's function, and so would the next world's.
    """

    oid = thread_oid = "00000000-0000-0000-0000-000000000000"
    """Where results would be sent; Celery derives it from the process id and from addresses."""

    def task(self, *args: Any, **options: Any) -> Any:
        return super().task(*args, **{"shared": False, **options})

    def finalize(self, auto: bool = False) -> None:
        # Without the tasks that Celery itself adds, for chords, maps and chunks: they are half of an app's cost.
        shared = _state._on_app_finalizers
        _state._on_app_finalizers = set()
        try:
            super().finalize(auto=auto)
        finally:
            _state._on_app_finalizers = shared


class CeleryBroker:
    """One world's message broker, the Celery apps that use it, and their workers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._broker = Broker(world)
        self._apps: list[App] = []
        self._restore = _Globals()
        world.on_close(self._close)

    # apps and workers

    def app(self, name: str = "app", **settings: Any) -> Celery:
        """A new Celery app on this broker; `settings` are Celery's (``task_acks_late=True``)."""
        app = App(
            name,
            broker="memory://lab",
            set_as_current=False,
            fixups=[],
            changes={"broker_transport": self._broker.transport, **settings},
        )
        self._apps.append(app)
        return app

    def worker(
        self, app: Celery, *, queues: Sequence[str] | None = None, pool: Pool = "solo", name: str | None = None
    ) -> Worker:
        """A worker of `app`, for `queues` or for all in ``task_queues``. `name` is its title in the timeline."""
        return Worker(self._broker, app, queues, pool, name)

    # looking and meddling

    def depth(self, queue: str) -> int:
        """Messages that are ready in a queue; 0 if it was never declared."""
        return self._broker.queues.depth(queue)

    def messages(self, queue: str) -> list[StoredMessage]:
        """The messages that are ready in a queue, the next one first."""
        return [_stored(raw) for raw in self._broker.queues.ready(queue)]

    def unacked(self, queue: str) -> list[StoredMessage]:
        """The messages of a queue that workers hold."""
        return [_stored(raw) for raw in self._broker.queues.unacked(queue)]

    def dropped(self) -> list[StoredMessage]:
        """The messages that the broker had no queue for: sent to none, or dead without a dead-letter queue."""
        return [_stored(raw) for raw in self._broker.queues.dropped]

    def places(self, *queues: str) -> dict[str, list[tuple[Any, ...]]]:
        """The arguments of all tasks that are ready in `queues`, by where they are; empty queues are left out."""
        return {queue: [m.args for m in self.messages(queue)] for queue in queues if self.depth(queue)}

    def publish(
        self,
        queue: str,
        body: bytes,
        *,
        headers: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        priority: int | None = None,
    ) -> None:
        """Publish `body` as it is, as a producer without Celery would; the queue is not declared by this."""
        with self._elsewhere.producer_or_acquire() as producer:
            producer.publish(
                body,
                exchange="",
                routing_key=queue,
                headers=dict(headers or {}),
                content_type=content_type,
                content_encoding="utf-8",
                priority=priority,
            )

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """While this lasts the broker cannot be reached. A worker that looks for tasks then is the test's mistake."""
        self._broker.down = True
        try:
            yield
        finally:
            self._broker.down = False

    @functools.cached_property
    def _elsewhere(self) -> Celery:
        return self.app("elsewhere")

    def _close(self) -> None:
        self._broker.close()
        for app in self._apps:
            app.close()
        for group, transport_of in ((pools.producers, _of_producers), (pools.connections, _of_connections)):
            for key, pool in list(group.items()):
                if transport_of(pool) is self._broker.transport:
                    dict.pop(group, key)
        cache: dict[Any, Any] = kombu.transport._transport_cache
        cache.pop(self._broker.transport, None)
        self._restore.undo()


def _of_connections(pool: Any) -> Any:
    return pool.connection.transport_cls


def _of_producers(pool: Any) -> Any:
    return _of_connections(pool.connections)


class _Globals:
    """What Celery and kombu keep in their modules: put on this world's clock, and put back afterwards."""

    def __init__(self) -> None:
        # What stands in `time` now, and no methods of the world: these would lead whoever reads them to it.
        fakes = {"monotonic": time.monotonic, "sleep": time.sleep}
        self._saved: list[tuple[Any, str, Any]] = []
        for path, names in _CLOCKED.items():
            for name in names:
                self._set(importlib.import_module(path), name, fakes[name])
        for path, name in _NAMED.items():
            self._set(importlib.import_module(path), name, lambda: "lab")
        for path in _CHATTER:
            self._set(logging.getLogger(path), "disabled", True)
        for signal in [s for s in vars(signals).values() if isinstance(s, Signal)]:
            self._set(signal, "receivers", list(signal.receivers or ()))
        state.reset_state()

    def _set(self, owner: Any, name: str, value: Any) -> None:
        self._saved.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def undo(self) -> None:
        for owner, name, value in reversed(self._saved):
            setattr(owner, name, value)
        state.reset_state()


def _stored(raw: Raw) -> StoredMessage:
    properties = raw["properties"]
    body = raw["body"]
    if properties.get("body_encoding") == "base64":
        body = base64.b64decode(body)
    return StoredMessage(
        body if isinstance(body, bytes) else body.encode(),
        dict(raw["headers"]),
        dict(properties),
        raw["content-type"],
        raw["content-encoding"],
    )
