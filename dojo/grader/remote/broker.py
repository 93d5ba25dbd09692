"""The broker between the asking machine and the workers: Redis or Valkey, or RabbitMQ.

Redis has no acknowledgement of its own. Kombu keeps what is in work in a hash, and gives it back after a fixed time,
which is either too short for a slow submission or too long for a dead worker. So a worker holds a *lease* beside the
task: it ends by the server's clock a few seconds after the worker does, and the asking machine gives back what nobody
holds. How often a task was begun is counted beside it too.

RabbitMQ gives back what was in work as soon as the worker's connection ends, and a quorum queue counts how often it
did. There, nothing needs to be kept beside the queue.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import redis
from celery import Celery
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import ChannelError, KombuError
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from dojo.grader.model import GraderError
from dojo.lab.tls import verified

TASKS = "grade.tasks"
DEAD = "grade.dead"
PREFIX = "dojo:"
"""Of everything that we keep in a Redis, which may be others' as well."""

LEASE_S = 15
RENEW_S = 3.0
KEEP_S = 7 * 86_400
"""How long replies wait for a machine that does not come back, and what was counted is remembered."""
_NEVER_S = 30 * 86_400
"""Kombu's own time after which work is given back: the leases do that."""


UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)
"""What comes of data that is not what it should be, be it a URL or a message."""


class Broker(Protocol):
    """What differs between the servers. `task` is an assignment's id."""

    url: str
    tls: dict[str, str] | None
    """What the URL does not say of how to verify the server."""

    def connection(self) -> Connection:
        """A new one, not yet opened."""

    def deliveries(self, task: str, headers: dict[str, Any]) -> int:
        """For a worker that begins: which attempt this is, as far as nobody has finished one; the first is 1."""

    @contextmanager
    def held(self, task: str, worker: str) -> Iterator[None]:
        """For a worker: says that it is at work, as long as it lives."""

    def finished(self, task: str, reply_to: str) -> None:
        """For a worker: the answer is with the broker."""

    def waiting(self, channel: Any) -> int:
        """How many tasks nobody has taken yet."""

    def give_back(self, channel: Any, reply_to: str, *, first: bool) -> None:
        """For the asking machine, every few seconds: what was in work with somebody who is gone is to be done again.

        With `first`, that includes replies that an earlier process of our own was reading.
        """

    def remember(self, channel: Any, reply_to: str) -> bool:
        """Marks that a batch is under way; whether it was still marked so: if not, the server has lost its memory."""


def broker_at(url: str) -> Broker:
    """Raises GraderError for a URL of another kind. `@FILE` stands for what is in that file."""
    if url.startswith("@"):
        try:
            url = Path(url[1:]).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise GraderError(f"--queue {url}: the file with the URL cannot be read ({error}).") from None
    scheme = url.partition("://")[0]
    try:
        if scheme in ("redis", "rediss"):
            return RedisBroker(verified(url)[0])
        if scheme in ("amqp", "amqps"):
            return RabbitBroker(url)
    except UNREADABLE:
        raise _unusable(scheme) from None
    raise GraderError(
        f"--queue {shown(url)}: say redis://host:6379/0, rediss://…, amqp://user:password@host or amqps://…"
    )


def reach(broker: Broker) -> None:
    """Raises GraderError if nobody answers there."""
    try:
        with broker.connection() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=5)
            connection.default_channel  # noqa: B018 - opening it is what fails if we may not enter
    except UNREADABLE:
        raise _unusable(broker.url.partition("://")[0]) from None
    except broken(broker) as error:
        raise GraderError(
            f"--queue {shown(broker.url)} cannot be reached ({error}). Start the server, or see that host, port and "
            "password are right and that a firewall lets this machine through. If its certificate is of an authority "
            "of your own, SSL_CERT_FILE has to name that one's."
        ) from error


def _unusable(scheme: str) -> GraderError:
    # Neither the URL nor the error: where the one cannot be taken apart, both may show the password.
    return GraderError(
        f"--queue {scheme}://… cannot be read. The port and a Redis' database are numbers, and in a password : / ? # [ "
        "] @ and % are written as %3A %2F %3F %23 %5B %5D %40 and %25."
    )


def broken(broker: Broker) -> tuple[type[BaseException], ...]:
    """Errors after which one comes back later."""
    connection = broker.connection()
    return (
        *connection.recoverable_connection_errors,
        *connection.recoverable_channel_errors,
        *connection.connection_errors,
        *connection.channel_errors,
        *(redis.RedisError, KombuError, OSError),
    )


def shown(url: str) -> str:
    """A URL without its password, however little of one it is."""
    scheme, known, rest = url.partition("://")
    if not known:
        return "that URL"
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def celery_app(broker: Broker) -> Celery:
    """With the one queue of tasks; JSON only, and a task is done when it has returned, not when it is begun."""
    queue = task_queue(broker)
    app = Celery("dojo-grade", broker=broker.url, set_as_current=False)
    app.conf.update(
        broker_use_ssl=broker.tls,
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,  # replies go to a queue of the asking machine's
        task_queues=[queue],
        task_default_queue=TASKS,
        task_default_exchange="",
        task_default_routing_key=TASKS,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_failure_or_timeout=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # the answer is of use all the same
        worker_consumer="dojo.grader.remote.working:Consumer",
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_transport_options=broker.connection().transport_options,
    )
    return app


def task_queue(broker: Broker) -> Queue:
    """By way of the nameless exchange, which routes by the queue's name even if the server has forgotten all else."""
    arguments = {"x-queue-type": "quorum"} if isinstance(broker, RabbitBroker) else None
    return Queue(TASKS, Exchange(""), TASKS, durable=True, queue_arguments=arguments)


def dead_queue() -> Queue:
    """Nobody reads it but people."""
    return Queue(DEAD, Exchange(""), DEAD, durable=True)


def reply_queue(name: str) -> Queue:
    return Queue(name, Exchange(""), name, durable=True, expires=KEEP_S)


class RedisBroker:
    """Redis or Valkey."""

    tls: dict[str, str] | None = None

    def __init__(self, url: str) -> None:
        self.url = url
        self._tasks: dict[str, tuple[str, str]] = {}
        """Of what is in work, by kombu's tag: the queue, and the id if it is a task."""
        self._unheld: set[str] = set()
        """Tags that nobody held the last time."""
        # Opened when it is used, so that each process of a worker has its own.
        self._client = redis.Redis.from_url(
            url, socket_timeout=10, socket_connect_timeout=5, retry=Retry(ExponentialBackoff(cap=2, base=0.1), 5)
        )

    def connection(self) -> Connection:
        options = {"global_keyprefix": PREFIX, "visibility_timeout": _NEVER_S, "socket_connect_timeout": 5}
        return Connection(self.url, transport_options=options)

    def deliveries(self, task: str, headers: dict[str, Any]) -> int:
        with self._client.pipeline() as pipe:
            pipe.incr(f"{PREFIX}attempts:{task}")
            pipe.expire(f"{PREFIX}attempts:{task}", KEEP_S)
            return int(pipe.execute()[0])

    @contextmanager
    def held(self, task: str, worker: str) -> Iterator[None]:
        stop = threading.Event()

        def hold() -> None:
            while True:
                with suppress(redis.RedisError):  # it is back, or the task has to be given to somebody else
                    self._client.set(_lease(task), worker, ex=LEASE_S)
                if stop.wait(RENEW_S):
                    return

        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            with suppress(redis.RedisError):
                self._client.delete(_lease(task))

    def finished(self, task: str, reply_to: str) -> None:
        with suppress(redis.RedisError), self._client.pipeline() as pipe:
            pipe.delete(f"{PREFIX}attempts:{task}")
            pipe.expire(f"{PREFIX}{reply_to}", KEEP_S)
            pipe.execute()

    def waiting(self, channel: Any) -> int:
        return int(self._client.llen(PREFIX + TASKS))

    def give_back(self, channel: Any, reply_to: str, *, first: bool) -> None:
        tags = [tag.decode() for tag in self._client.hkeys(PREFIX + channel.unacked_key)]  # type: ignore[union-attr]
        for tag in tags:
            if tag not in self._tasks and (found := self._client.hget(PREFIX + channel.unacked_key, tag)):
                self._tasks[tag] = _whose(found)  # type: ignore[arg-type]
        self._tasks = {tag: self._tasks[tag] for tag in tags if tag in self._tasks}
        ours = {tag for tag, (queue, _) in self._tasks.items() if first and queue == reply_to}
        unheld = {
            tag
            for tag, (queue, task) in self._tasks.items()
            if queue == TASKS and not self._client.exists(_lease(task))
        }
        # Between taking a task and holding it there is a moment: only who is not held twice in a row is lost.
        for tag in ours | (unheld & self._unheld):
            channel.qos.restore_by_tag(tag)
        self._unheld = unheld

    def remember(self, channel: Any, reply_to: str) -> bool:
        return bool(self._client.set(f"{PREFIX}batch:{reply_to}", "1", ex=KEEP_S, get=True))


def _lease(task: str) -> str:
    return f"{PREFIX}lease:{task}"


def _whose(kept: bytes) -> tuple[str, str]:
    """Of a message as kombu keeps it while it is in work. What is none, nobody gives back."""
    try:
        message, _, queue = json.loads(kept)
        return str(queue), str(message["headers"].get("id", ""))
    except UNREADABLE:
        return "", ""


class RabbitBroker:
    """RabbitMQ, 3.8 or later for its quorum queues."""

    def __init__(self, url: str) -> None:
        self.url, self.tls = verified(url)

    def connection(self) -> Connection:
        # Confirmed: what was published is on disk when `publish` returns.
        return Connection(
            self.url, heartbeat=60, connect_timeout=5, ssl=self.tls, transport_options={"confirm_publish": True}
        )

    def deliveries(self, task: str, headers: dict[str, Any]) -> int:
        return 1 + int(headers.get("x-delivery-count") or 0)

    @contextmanager
    def held(self, task: str, worker: str) -> Iterator[None]:
        yield

    def finished(self, task: str, reply_to: str) -> None:
        return

    def waiting(self, channel: Any) -> int:
        return int(channel.queue_declare(queue=TASKS, passive=True).message_count)

    def give_back(self, channel: Any, reply_to: str, *, first: bool) -> None:
        return

    def remember(self, channel: Any, reply_to: str) -> bool:
        with channel.connection.channel() as trial:  # a question that is denied closes its channel
            try:
                trial.queue_declare(queue=reply_to, passive=True)
                trial.queue_declare(queue=TASKS, passive=True)
            except ChannelError:
                return False
        return True
