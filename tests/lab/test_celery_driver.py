"""Celery in the lab: tasks and their times as the real thing has them, and nothing stays behind in the process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from celery import _state, signals
from celery.worker import request as celery_request
from celery.worker import state
from kombu import Queue, pools, transport
from kombu.exceptions import ChannelError

from dojo.lab.errors import LabError
from dojo.lab.explore import explore

ROOT = Path(__file__).parents[2]


def test_retries_follow_their_countdowns(green: Any) -> None:
    ran = []

    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app()

        @app.task(bind=True, max_retries=3, retry_backoff=2)
        def charge(self: Any) -> None:
            ran.append((lab.now, self.request.retries))
            raise self.retry(countdown=2 ** (self.request.retries + 1))

        charge.delay()
        assert celery.worker(app).run() == 4

    green(test)
    assert ran == [(0.0, 0), (2.0, 1), (6.0, 2), (14.0, 3)]


def test_autoretry_works_too(green: Any) -> None:
    def test(lab: Any) -> None:
        app = lab.celery().app()
        ran = []

        @app.task(autoretry_for=(OSError,), retry_backoff=1, retry_jitter=False, max_retries=2)
        def fetch() -> None:
            ran.append(lab.now)
            raise OSError("down")

        fetch.delay()
        lab.celery().worker(app).run()
        assert ran == [0.0, 1.0, 3.0]

    green(test)


def test_an_expired_task_is_discarded(green: Any) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app(task_acks_late=True)
        ran = []

        @app.task
        def charge(name: str) -> None:
            ran.append(name)

        charge.apply_async(("in its queue",), expires=5)
        time.sleep(6)
        charge.apply_async(("until it was due",), countdown=10, expires=5)
        charge.apply_async(("not at all",), countdown=4, expires=5)
        assert celery.places("celery", "elsewhere") == {"celery": [("until it was due",), ("not at all",)]}
        celery.worker(app).run()
        assert ran == ["not at all"]
        assert celery.depth("celery") == len(celery.unacked("celery")) == 0

    green(test)


def test_two_workers_race_for_one_message(green: Any) -> None:
    winners = set()

    @explore
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app(task_acks_late=True)
        ran = []

        @app.task
        def charge() -> None:
            lab.call_sync("charge", lambda: ran.append(lab.world.actor.title))

        charge.delay()
        lab.race_sync(celery.worker(app).step, celery.worker(app).step, names=("one", "two"))
        assert len(ran) == 1
        winners.add(ran[0])

    green(test)
    assert winners == {"one", "two"}


def test_what_is_not_simulated_is_refused(run: Any) -> None:
    def use(lab: Any, queue: Queue) -> None:
        lab.celery().worker(lab.celery().app(task_queues=[queue]))

    def limited(lab: Any) -> None:
        lab.celery().worker(lab.celery().app(task_time_limit=5))

    def limited_once(lab: Any) -> None:
        app = lab.celery().app()
        app.task(name="test")(limited).apply_async((1,), time_limit=5)
        lab.celery().worker(app).run()

    def capped(lab: Any) -> None:
        use(lab, Queue("q", queue_arguments={"x-max-length": 5}))

    def keyed(lab: Any) -> None:
        use(lab, Queue("q", queue_arguments={"x-dead-letter-routing-key": "dlq"}))

    def twice(lab: Any) -> None:
        use(lab, Queue("q"))
        use(lab, Queue("q", queue_arguments={"x-max-priority": 5}))

    def raced(lab: Any) -> None:
        lab.race_sync(lab.celery().worker(lab.celery().app(), pool="prefork").run)

    for test, error, words in (
        (limited, LabError, "time limits are not simulated"),
        (limited_once, LabError, "time limits are not simulated"),
        (capped, LabError, "does not simulate x-max-length"),
        (keyed, ChannelError, "no x-dead-letter-exchange"),
        (twice, ChannelError, "Declare a queue the same way everywhere"),
        (raced, LabError, 'pool="solo"'),
    ):
        failed = run(test).failed.error
        assert isinstance(failed, error), failed
        assert words in str(failed)


def test_a_task_that_is_not_written_yet_is_told_as_such(run: Any) -> None:
    def test(lab: Any) -> None:
        app = lab.celery().app()

        @app.task
        def charge() -> None:
            raise NotImplementedError("yet")

        charge.delay()
        lab.celery().worker(app).run()

    assert isinstance(run(test).failed.error, NotImplementedError)


def test_nothing_is_left_in_celery_or_kombu(green: Any) -> None:
    def left() -> tuple[Any, ...]:
        return (
            len(pools.connections),
            len(pools.producers),
            len(transport._transport_cache),
            set(_state._on_app_finalizers),
            len(state.revoked),
            dict(state.total_count),
            celery_request.monotonic,
            list(signals.task_failure.receivers or ()),
        )

    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app(task_acks_late=True)
        signals.task_failure.connect(lambda **_: None, weak=False)

        @app.task(name="tests.charge")
        def charge() -> None:
            lab.die()

        charge.apply_async(expires=3)
        charge.apply_async(expires=-1)
        celery.worker(app).run()

    before = left()
    for _ in range(2):
        green(test)
        assert left() == before


def test_celery_imported_inside_a_world_keeps_the_real_clock() -> None:
    """Its modules bind `time.sleep` when they are imported; a world's would stay with them for ever."""
    script = """
import time
from dojo.lab.explore import Experiment, conduct
from dojo.lab.servers import FakeBackend
conduct(Experiment(lambda lab: lab.celery(), {}, FakeBackend()))
import celery.worker.request, kombu.mixins, kombu.transport.virtual.base as base
print(kombu.mixins.sleep is base.sleep is time.sleep, celery.worker.request.monotonic is time.monotonic)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout == "True True\n"


def test_two_apps_of_one_world_share_no_tasks(green: Any) -> None:
    """Two apps stand for two processes, each with its own copy of the learner's module."""

    def test(lab: Any) -> None:
        celery = lab.celery()
        ran = []
        one, two = celery.app(), celery.app()
        for app, name in ((one, "one"), (two, "two")):

            @app.task(name="charge")
            def charge(name: str = name) -> None:
                ran.append(name)

        for app in (one, two):
            app.send_task("charge")
            celery.worker(app).run()
        assert ran == ["one", "two"]

    green(test)
