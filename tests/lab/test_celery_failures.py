"""Celery in the lab: what a death, a lost connection or a rejection does to a message."""

from __future__ import annotations

from typing import Any

import pytest
from celery.exceptions import Reject
from kombu.exceptions import OperationalError

from dojo.lab.errors import LabError, NeverFinishes
from dojo.lab.explore import sweep


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


def test_an_outage_refuses_every_connection(green: Any) -> None:
    """Celery publishes four times within 0.6 s and gives up, over a connection that it has and over a new one."""

    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app()

        @app.task(name="charge")
        def charge(order: str) -> None: ...

        def refused() -> float:
            before = lab.now
            with pytest.raises(OperationalError, match="outage"):
                charge.delay("refused")
            return round(float(lab.now - before), 6)

        with celery.outage():
            assert refused() == 0.6
        charge.delay("before")
        with celery.outage():
            assert refused() == 0.6
            assert celery.places("celery") == {"celery": [("before",)]}
        charge.delay("after")
        assert celery.places("celery") == {"celery": [("before",), ("after",)]}
        assert celery.worker(app).run() == 2

    green(test)


def test_no_worker_works_during_an_outage(run: Any) -> None:
    def test(lab: Any) -> None:
        celery = lab.celery()
        app = celery.app()

        @app.task(name="charge")
        def charge() -> None: ...

        charge.delay()
        worker = celery.worker(app)
        with celery.outage():
            worker.run()

    error = run(test).failed.error
    assert isinstance(error, LabError)
    assert "after the outage" in str(error)
