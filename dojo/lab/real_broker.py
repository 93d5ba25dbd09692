"""A real broker and real Celery workers, for what a kata's last stage promises of them.

Here nothing is simulated: messages travel over sockets, workers are processes, time passes. So tests of this kind are
few, stand in a file of their own (`on_a_broker.py`, beside the kata's tests), and run only with ``--broker``::

    def test_an_order_is_charged_once(broker):
        app, redis = broker.app(), broker.redis()
        register(app, consumer_on(redis), lambda *order: redis.incr("charges"))
        with broker.worker(app):
            app.send_task("process_order", ("order-7", "ann", 1999))
            broker.until(lambda: redis.get("charges") == b"1", "one charge")

A worker is a fork of the test's process, so it has the test's functions; what it finds out it tells through `redis`.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from celery import Celery, signals
from kombu.exceptions import OperationalError

from dojo.lab.celery_driver import App
from dojo.lab.errors import LabError
from dojo.lab.real_servers import start_valkey
from dojo.lab.tls import verified

PATIENCE_S = 60.0
"""Far above what anything here takes, for machines that are busy with other things."""


class RealBroker:
    """The server of a test session."""

    def __init__(self, choice: str) -> None:
        """`choice` is `valkey`, or a URL: redis://…, rediss://…, amqp://… or amqps://…. Raises LabError."""
        scheme = urlsplit(choice).scheme
        if choice != "valkey" and scheme not in ("redis", "rediss", "amqp", "amqps"):
            raise LabError(
                f"--broker {choice}: say valkey, or a URL such as redis://localhost:6379/0 or amqp://guest:guest@localhost/"
            )
        self._home = Path(tempfile.mkdtemp(prefix="dojo-broker-"))
        try:
            self._valkey, self._admin = start_valkey(self._home)
        except LabError:
            shutil.rmtree(self._home, ignore_errors=True)
            raise
        self.is_amqp = scheme.startswith("amqp")
        own = f"redis+socket://{self._home}/socket?virtual_host=1"
        self._url, self._tls = verified(own if choice == "valkey" else choice)
        try:
            self._see_that_it_answers(choice)
        except LabError:
            self.close()
            raise

    def _see_that_it_answers(self, choice: str) -> None:
        app = Celery("look", broker=self._url, broker_use_ssl=self._tls, set_as_current=False)
        try:
            with app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=5)
        except (OperationalError, OSError) as error:
            raise LabError(f"--broker {choice}: cannot be reached ({error}). Is the server running?") from None

    @contextlib.contextmanager
    def part(self) -> Iterator[Part]:
        """One test's part of it."""
        self._admin.flushall()
        part = Part(self._url, self._tls, self._home, is_amqp=self.is_amqp)
        try:
            yield part
        finally:
            part.clean()

    def close(self) -> None:
        self._admin.close()
        self._valkey.kill()
        self._valkey.wait()
        shutil.rmtree(self._home, ignore_errors=True)


class Part:
    """What a test gets: names that nobody else uses, apps, workers, and an empty Redis."""

    def __init__(self, url: str, tls: dict[str, str] | None, home: Path, *, is_amqp: bool) -> None:
        self.is_amqp = is_amqp
        """Whether it is RabbitMQ; otherwise it is Redis, which cannot dead-letter, nor count deliveries."""
        self._url = url
        self._tls = tls
        self._socket = home / "socket"
        self._home = home
        self._mark = uuid.uuid4().hex[:12]
        self._queues: list[str] = []
        self._log = home / f"worker-{self._mark}.log"
        self._apps: list[Celery] = []

    def redis(self, **options: Any) -> redis.Redis:
        """A client of an empty private Valkey, which is not the broker; workers see the same keys."""
        return redis.Redis(unix_socket_path=str(self._socket), **{"protocol": 2, **options})

    def redis_url(self) -> str:
        """The same server, for a result backend."""
        return f"redis+socket://{self._socket}?virtual_host=0"

    def queue(self, name: str) -> str:
        """`name`, changed so that it is nobody else's. Its queue and that of `name`.dlq are deleted after the test."""
        mine = f"{name}-{self._mark}"
        self._queues += [mine, f"{mine}.dlq"]
        return mine

    def app(self, name: str = "app", **settings: Any) -> Celery:
        """A new Celery app on the broker, with a default queue of its own; `settings` are Celery's."""
        app = App(name, broker=self._url, set_as_current=False)
        app.conf.update(
            broker_use_ssl=self._tls,
            task_default_queue=self.queue(f"dojo-{name}"),
            broker_connection_retry_on_startup=True,
            worker_enable_remote_control=False,
            worker_hijack_root_logger=False,
            **settings,
        )
        self._apps.append(app)
        return app

    @contextlib.contextmanager
    def worker(self, app: Celery, queues: Sequence[str] = (), *, processes: int = 1) -> Iterator[None]:
        """A real prefork worker of `app` while this lasts, of `queues` or of all that the app knows."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            self._be_the_worker(app, queues, processes, writer)
        os.close(writer)
        try:
            with open(reader, "rb", buffering=0) as ready:
                told, _, _ = select.select([ready], [], [], PATIENCE_S)
                if not told or ready.read(1) != b"r":
                    raise AssertionError(f"the worker did not start:\n{self._said()}")
            yield
        finally:
            _end(pid)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Waits for what a worker does. Raises AssertionError, with what the workers said, if it does not happen."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"never happened: {what}. The worker said:\n{self._said()}")
            time.sleep(0.02)

    def clean(self) -> None:
        """Deletes what the test has left with the broker."""
        if self._apps:
            with self._apps[0].connection_for_write() as connection:
                for name in self._queues:
                    channel = connection.channel()
                    with contextlib.suppress(*connection.channel_errors, *connection.connection_errors):
                        channel.queue_delete(name)
                        channel.exchange_delete(name)
        for app in self._apps:
            app.close()

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-3000:] if self._log.exists() else "nothing"

    def _be_the_worker(self, app: Celery, queues: Sequence[str], processes: int, writer: int) -> None:
        try:
            os.setsid()
            log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            for stream in (1, 2):
                os.dup2(log, stream)
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # pytest's capturing is the parent's
            warnings.simplefilter("default")  # and so is that they are errors; Celery has one for root
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            signals.worker_ready.connect(lambda **_: os.write(writer, b"r"), weak=False)
            options = ["--pool=prefork", f"--concurrency={processes}", "--loglevel=WARNING", "--without-mingle"]
            listed = [f"--queues={','.join(queues)}"] if queues else []
            app.worker_main(["worker", *options, "--without-gossip", "--without-heartbeat", *listed])
        except SystemExit:
            os._exit(0)
        except BaseException:  # noqa: BLE001 - nothing may return into the parent's frames
            traceback.print_exc()
        finally:
            os._exit(1)


def _end(pid: int) -> None:
    """A warm shutdown, and the whole family if that takes too long."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            break
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
