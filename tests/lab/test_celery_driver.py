"""Celery in the lab: what the real thing does with acknowledgements, deaths and delays."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from celery import _state, signals
from celery.exceptions import Reject
from celery.worker import request as celery_request
from celery.worker import state
from kombu import Queue, pools, transport
from kombu.exceptions import ChannelError

from dojo.lab.errors import LabError, NeverFinishes
from dojo.lab.explore import explore, sweep

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


@pytest.mark.parametrize("late", [True, False])
def test_node_death_redelivers_what_was_not_acknowledged(green: Any, late: bool) -> None:
    """With late acks a crash at any step costs no message; with early acks it does."""
    outcomes = set()

    @sweep(kinds=("died-before", "died-after"))
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app(task_acks_late=late)
        ran = []

        @app.task(bind=True)
        def charge(self: Any) -> None:
            lab.call_sync("charge the card", lambda: ran.append(self.request.delivery_info["redelivered"]))

        charge.delay()
        first = celery.worker(app)
        first.run()
        if first.dead:
            celery.worker(app).run()
        assert celery.depth("celery") == len(celery.unacked("celery")) == 0
        outcomes.add(tuple(ran))

    session = green(test)
    assert session.runs == 1 + 2 * 3  # GET, charge, ACK (or GET, ACK, charge)
    assert outcomes == ({(False,), (True,), (False, True)} if late else {(), (False,), (True,)})


def test_child_death_acknowledges_unless_told_to_reject(green: Any) -> None:
    """WorkerLostError: `task_acks_late` alone does not save the message."""

    def lost(lab: Any, **settings: Any) -> tuple[list[bool], int]:
        celery = lab.celery()
        app = celery.app(**settings)
        ran = []

        @app.task(bind=True)
        def charge(self: Any) -> None:
            ran.append(self.request.delivery_info["redelivered"])
            if len(ran) == 1:
                lab.die()

        charge.delay()
        worker = celery.worker(app, pool="prefork")
        worker.run()
        assert not worker.dead
        return ran, celery.depth("celery") + len(celery.unacked("celery"))

    def acks_late(lab: Any) -> None:
        assert lost(lab, task_acks_late=True) == ([False], 0)

    def reject_on_worker_lost(lab: Any) -> None:
        assert lost(lab, task_acks_late=True, task_reject_on_worker_lost=True) == ([False, True], 0)

    def acks_early(lab: Any) -> None:
        assert lost(lab) == ([False], 0)

    for test in (acks_late, reject_on_worker_lost, acks_early):
        green(test)


def test_faults_of_a_sweep_strike_the_child(green: Any) -> None:
    deaths = []

    @sweep(kinds=("died-before",))
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app(task_acks_late=True)
        steps = []

        @app.task
        def charge() -> None:
            lab.call_sync("one", lambda: steps.append(1))
            lab.call_sync("two", lambda: steps.append(2))

        charge.delay()
        charge.delay()
        celery.worker(app, pool="prefork").run()
        deaths.append(len(steps))

    green(test)
    assert deaths == [4, 2, 3, 2, 3]  # the next task runs in a new child


def test_a_message_that_kills_every_child_never_ends(run: Any) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app(task_acks_late=True, task_reject_on_worker_lost=True)

        @app.task
        def poison() -> None:
            lab.die()

        poison.delay()
        celery.worker(app, pool="prefork").run()

    error = run(test).failed.error
    assert isinstance(error, NeverFinishes)
    assert "child after child dies" in str(error)


def test_a_message_that_always_comes_back_never_ends(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dojo.lab.celery_worker.MAX_TASKS", 100)

    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app(task_acks_late=True)

        @app.task
        def poison() -> None:
            raise Reject(requeue=True)

        poison.delay()
        celery.worker(app).run()

    error = run(test).failed.error
    assert isinstance(error, NeverFinishes)
    assert "100 tasks executed" in str(error)


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


def test_a_lost_confirmation_publishes_twice(green: Any) -> None:
    """Celery publishes again after a broken connection, whether or not the first message arrived."""
    copies = []

    @sweep(kinds=("lost-request", "lost-reply"))
    def test(lab: Any) -> None:
        app = lab.celery().app()

        @app.task
        def charge() -> None: ...

        assert lab.attempt_sync(charge.delay).ok
        copies.append(lab.celery().depth("celery"))

    green(test)
    assert copies == [1, 1, 2]


def test_a_worker_that_loses_its_connection_gets_the_message_again(green: Any) -> None:
    ran = []

    @sweep(kinds=("lost-request", "lost-reply"))
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app(task_acks_late=True)
        mine: list[bool] = []

        @app.task(bind=True)
        def charge(self: Any) -> None:
            mine.append(self.request.delivery_info["redelivered"])

        charge.delay()
        celery.worker(app).run()
        assert celery.depth("celery") == len(celery.unacked("celery")) == 0
        ran.append(mine)

    green(test)
    # clean · GET: request lost, reply lost · ACK: request lost, reply lost
    assert ran == [[False], [False], [True], [False, True], [False]]


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


def test_a_task_that_ends_the_interpreter_ends_its_process_only(green: Any) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app(task_acks_late=True)

        @app.task
        def charge() -> None:
            raise SystemExit(1)

        charge.delay()
        worker = celery.worker(app)
        worker.run()
        assert worker.dead
        assert celery.depth("celery") == 1
        with pytest.raises(LabError, match="this worker died"):
            worker.step()

    green(test)


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
